"""A judgement as one line of text. Imported by the exec probe: no imports, no dataclasses."""


def as_line(  # noqa: PLR0917 (in the order in which they are read out)
    verdict: str, name: str, value: float | None, limit: float | None, unit: str, message: str
) -> str:
    """`ok        memory        41.2 % (limit 85 %): 422 MiB of 1.0 GiB, the container's limit`."""
    digits = 0 if unit in {"", "rows"} else 1
    shown = "-" if value is None else f"{value:.{digits}f} {unit}".rstrip()
    against = "" if limit is None else f" (limit {limit:g} {unit}".rstrip() + ")"
    return f"{verdict:<8}  {name:<12}  {shown}{against}: {message}"
