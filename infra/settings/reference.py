"""Every setting as Markdown tables, for docs/settings.md."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from infra.settings import fields
from infra.settings.models import Settings


def tables() -> str:
    """Every setting as Markdown: a table of the single ones, then a table for each group."""
    single = {name: field for name, field in Settings.model_fields.items() if not fields.section_of(field)}
    parts = ["\n".join(_table("", single))]
    for name, field in Settings.model_fields.items():
        kind, below = fields.section_of(field), f"{name}."
        if entry := fields.entry_of(field):
            kind, below = entry, f"{name}.NAME."
        if kind:
            parts.append("\n".join([f"### {name}", "", f"{field.description}.", "", *_table(below, kind.model_fields)]))
    return "\n\n".join(parts) + "\n"


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
