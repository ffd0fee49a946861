"""`python -m infra.document`: writes into Pulumi.yaml and the pages what only the code knows.

A page marks each place with a line `<!-- rendered by python -m infra.document: NAME -->`, and its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from infra import topologies
from infra.gateway import reference as gateway_reference
from infra.settings import load_settings, project_schema
from infra.settings import reference as settings_reference
from infra.sizing import StackSizing, report
from infra.sizing import reference as sizing_reference
from infra.sizing.coefficients import GIB, MIB

ROOT = Path(__file__).resolve().parent.parent
PROJECT_FILE = ROOT / "Pulumi.yaml"
PAGES = (ROOT / "docs" / "settings.md", ROOT / "docs" / "sizing.md", ROOT / "docs" / "security.md")
BEGIN = "<!-- rendered by python -m infra.document: {name} -->\n"
END = "<!-- end -->\n"
EXAMPLE = (1_000_000, 384)
COMPARED = tuple(
    (vectors, dimensions) for dimensions in (384, 768, 1_536) for vectors in (100_000, 1_000_000, 5_000_000)
)


def rendered(page: str) -> str:
    """A page with every marked place brought up to date.

    Args:
        page: Its text.
    """
    for name, text in PLACES.items():
        head, mark, rest = page.partition(BEGIN.format(name=name))
        if mark:
            page = f"{head}{mark}\n{text()}\n{END}{rest.partition(END)[2]}"
    return page


def _example() -> str:
    return f"```\n{report.stack_table(_sized(*EXAMPLE))}\n```\n"


def _compared() -> str:
    return "\n".join(_comparison()) + "\n"


def _comparison() -> Iterator[str]:
    yield "| vectors | dimensions | predicted peak | limit | rule of 0.245 | volume |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for vectors, dimensions in COMPARED:
        need = _sized(vectors, dimensions).store
        yield (
            f"| {vectors:,} | {dimensions:,} | {need.memory_peak_bytes / MIB:,.0f} MiB"
            f" | {need.memory_limit_bytes / MIB:,.0f} MiB | {need.rule_memory_bytes / MIB:,.0f} MiB"
            f" | {need.disk_bytes / GIB:,.0f} GiB |"
        )


def _sized(vectors: int, dimensions: int) -> StackSizing:
    corpus = {"vectors": vectors, "dimensions": dimensions, "model": "custom", "batch_rows": 500}
    if dimensions == EXAMPLE[1]:
        corpus = {"vectors": vectors, "dimensions": dimensions}
    return topologies.sized(load_settings({"corpus": corpus}, "(sizing)"))


PLACES: Mapping[str, Callable[[], str]] = {
    "settings": settings_reference.tables,
    "coefficients": sizing_reference.table,
    "example": _example,
    "comparison": _compared,
    "endpoints": gateway_reference.endpoints,
    "gateway-limits": gateway_reference.limits,
}


def main() -> None:
    """Write the files."""
    PROJECT_FILE.write_text(project_schema.render(PROJECT_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    for page in PAGES:
        page.write_text(rendered(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
