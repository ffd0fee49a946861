"""`python -m infra.settings.document`: brings Pulumi.yaml and docs/settings.md in step with the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from infra.settings import fields, project_schema
from infra.settings.models import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT_FILE = ROOT / "Pulumi.yaml"
PAGE = ROOT / "docs" / "settings.md"
BEGIN = "<!-- rendered by python -m infra.settings.document -->\n"
END = "<!-- end of what is rendered -->\n"


def tables() -> str:
    """Every setting as Markdown: a table of the single ones, then a table for each group."""
    single = {name: field for name, field in Settings.model_fields.items() if not fields.section_of(field)}
    parts = ["\n".join(_table("", single))]
    for name, field in Settings.model_fields.items():
        if kind := fields.section_of(field):
            parts.append(
                "\n".join([f"### {name}", "", f"{field.description}.", "", *_table(f"{name}.", kind.model_fields)])
            )
    return "\n\n".join(parts) + "\n"


def render(page: str) -> str:
    """The page with its tables brought up to date.

    Args:
        page: Text of docs/settings.md, with both marks.
    """
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def _table(prefix: str, settings: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| key | type | range | default | description |"
    yield "| --- | --- | --- | --- | --- |"
    for name, field in settings.items():
        default = "needed" if field.is_required() else f"`{shown}`" if (shown := _default(field)) else ""
        cells = (f"`{prefix}{name}`", fields.type_name(field), fields.value_range(field), default, field.description)
        yield f"| {' | '.join(str(cell) for cell in cells)} |"


def _default(field: FieldInfo) -> str:
    default = fields.default_of(field)
    return "" if default is None else fields.shown(default)


def main() -> None:
    """Write both files."""
    PROJECT_FILE.write_text(project_schema.render(PROJECT_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
