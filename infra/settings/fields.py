"""What a setting accepts, in words: for the messages about it, and for its line in the documentation."""

from __future__ import annotations

import json
import re
import types
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from infra.settings.section import Section

_USER_INFO = re.compile(r"[^/@\s]+:[^/@\s]+@")


def section_of(field: FieldInfo) -> type[Section] | None:
    """The group a top-level setting holds; None for a single value."""
    return next((kind for kind in _kinds(field) if issubclass(kind, Section)), None)


def entry_of(field: FieldInfo) -> type[Section] | None:
    """The group each entry of a named setting holds (`tokens.NAME.role`); None for other settings."""
    if get_origin(field.annotation) is not dict:
        return None
    kind = get_args(field.annotation)[1]
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def is_secret(field: FieldInfo) -> bool:
    """Whether the value must never be shown."""
    return SecretStr in _kinds(field)


_WORDS = (
    (dict, "groups by name"),
    (tuple, "list"),
    (datetime, "time"),
    (BaseModel, "group"),
    (SecretStr, "secret text"),
    (IPv4Address, "IP address"),
    (int, "whole number"),
    (float, "number"),
)


def type_name(field: FieldInfo) -> str:
    """The kind of value, in words: one of `_WORDS`, else `word` where only some will do, else `text`."""
    kind = _kinds(field)[0]
    named = next((words for known, words in _WORDS if issubclass(kind, known)), None)
    return named or ("word" if choices(field) else "text")


def value_range(field: FieldInfo) -> str:
    """The values that do: `1 to 65,535`, `above 0, to 256`, `int8, fp16 or fp32`; empty for any text."""
    if words := choices(field):
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    low = next((f"{item.ge:,}" for item in field.metadata if isinstance(item, Ge)), "")
    above = next((f"above {item.gt:,}," for item in field.metadata if isinstance(item, Gt)), "")
    high = next((f"{item.le:,}" for item in field.metadata if isinstance(item, Le)), "")
    return f"{low or above} to {high}" if high else ""


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The words a setting may be; empty when it is not one of a few."""
    kind = _kinds(field)[0]
    if issubclass(kind, StrEnum):
        return tuple(member.value for member in kind)
    extra = field.json_schema_extra
    named = extra.get("enum", ()) if isinstance(extra, dict) else ()
    return tuple(str(word) for word in named) if isinstance(named, list) else ()


def accepts(field: FieldInfo) -> str:
    """What would do, as the end of "use ...": `a whole number from 1 to 65,535, such as 8080`."""
    kind, values, example = type_name(field), value_range(field), example_of(field)
    if kind == "word":
        return values
    if kind.endswith("text"):
        return f"text such as {example}" if example else kind
    if kind == "list":
        return f"a list such as {example}"
    if kind == "groups by name":
        return f"groups by name, such as {example}"
    limits = "" if not values else f" {values}" if values.startswith("above") else f" from {values}"
    return f"{'an' if kind[0] in 'aeiouI' else 'a'} {kind}{limits}, such as {example}"


def example_of(field: FieldInfo) -> str:
    """A value that would do, as it is written; empty when there is none to give."""
    example = field.examples[0] if field.examples else default_of(field)
    return "" if example is None else shown(example)


def default_of(field: FieldInfo) -> Any:
    """The default as plain data; None for a setting that is needed, or that is left to the program."""
    value = field.get_default(call_default_factory=True)
    return None if value is PydanticUndefined else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, int | float) else str(value)


def lowered(text: str) -> str:
    """A description as part of a sentence: its first letter small, unless it begins an abbreviation."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def shown(value: Any) -> str:
    """A value as it was written; a user and password in front of a host are not repeated."""
    text = value if isinstance(value, str) and value else json.dumps(value, default=str)
    return _USER_INFO.sub("***@", text)


def _kinds(field: FieldInfo) -> list[type]:
    """The types a field may have, without None and annotations."""
    members = get_args(field.annotation) if get_origin(field.annotation) in {Union, types.UnionType} else ()
    bare = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in members or (field.annotation,)]
    plain = [get_origin(kind) or kind for kind in bare]
    return [kind for kind in plain if isinstance(kind, type) and kind is not type(None)]
