"""Numbers as people read them."""

_STEPS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def human_bytes(count: float) -> str:
    """Bytes in the largest binary unit that leaves at least 1, with one decimal below 100: `1.5 GiB`, `512 MiB`."""
    if abs(count) < 1024:
        return f"{count:.0f} B"
    size, step = count / 1024, 0
    while abs(size) >= 1024 and step < len(_STEPS) - 1:
        size, step = size / 1024, step + 1
    unit = _STEPS[step]
    return f"{size:.1f} {unit}" if abs(size) < 100 else f"{size:.0f} {unit}"


def percent(part: float, whole: float) -> float:
    """`part` of `whole` in percent."""
    return 100.0 * part / whole


def one_line(text: str, limit: int = 200) -> str:
    """Foreign text made safe for one line of a log: no control characters, no more than `limit` characters."""
    clean = "".join(character if character.isprintable() else " " for character in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
