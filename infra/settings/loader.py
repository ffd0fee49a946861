"""Reads raw configuration into Settings, and collects every problem on the way."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from infra.settings import fields, rules
from infra.settings.models import Settings
from infra.settings.problems import Problem, SettingsError, placed
from infra.settings.section import Section

# Pydantic's words for an error type, said so that they read after the key's name.
_WORDING = {
    "missing": "is needed",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "is not a whole number",
    "int_type": "is not a whole number",
    "float_parsing": "is not a number",
    "float_type": "is not a number",
    "string_type": "is not text",
    "greater_than_equal": "is less than {ge:,}",
    "greater_than": "is not more than {gt:,}",
    "less_than_equal": "is more than {le:,}",
    "enum": "is not a value it can have",
    "string_pattern_mismatch": "has a form that cannot be used",
    "string_too_short": "is empty",
    "too_short": "is empty",
    "tuple_type": "is not a list",
    "finite_number": "is not a number",
}


def load_settings(raw: Mapping[str, Any], stack: str, origins: Mapping[str, str] | None = None) -> Settings:
    """Read a stack's settings.

    Args:
        raw: Key (without the project's namespace) to value. Groups may be mappings, or JSON text as Pulumi
            hands them over. An empty group counts as left out.
        stack: Name of the stack, for messages.
        origins: Dotted path to the place where it was set (`infra.settings.origins.key_lines`).

    Returns:
        The settings, defaults filled in.

    Raises:
        SettingsError: Anything cannot be used; it lists every problem at once.
    """
    problems = list(_unknown(raw, Settings.model_fields, ""))
    sections: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        value = raw.get(name, {})
        kind = fields.section_of(field)
        if kind and name in raw:
            group = _group(name, value, kind)
            if isinstance(group, Problem):
                problems.append(group)
                continue
            problems += _unknown(group, kind.model_fields, f"{name}.")
            value = {key: item for key, item in group.items() if key in kind.model_fields}
        if (entry := fields.entry_of(field)) and name in raw:
            value, found = _entries(name, value, entry)
            problems += found
            if found and not value:
                continue
        if value == {}:
            sections[name] = field.get_default(call_default_factory=True)
            continue
        try:
            sections[name] = TypeAdapter[Any](field.rebuild_annotation()).validate_python(value)
        except ValidationError as error:
            problems += _described(name, field, kind, error)
    problems += rules.check(sections)
    if problems:
        raise SettingsError(stack, placed(problems, origins or {}))
    return Settings(**sections)


def _entries(name: str, value: Any, kind: type[Section]) -> tuple[dict[str, Any], list[Problem]]:
    """Groups by name: what each has that it knows, and what is wrong with them."""
    value = _opened(value)
    if not isinstance(value, dict):
        first = next(iter(kind.model_fields))
        return {}, [
            Problem(
                name,
                "must be groups of settings by name",
                f"write each name with its keys indented below it: pulumi config set --path {name}.NAME.{first} ...",
                None if value in ("", None) else fields.shown(value),
            )
        ]
    entries: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, item in value.items():
        group = _group(f"{name}.{key}", item, kind)
        if isinstance(group, Problem):
            problems.append(group)
            continue
        problems += _unknown(group, kind.model_fields, f"{name}.{key}.")
        entries[key] = {each: inner for each, inner in group.items() if each in kind.model_fields}
    return entries, problems


def _opened(value: Any) -> Any:
    """What JSON text holds: so Pulumi hands groups and lists over."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _group(name: str, value: Any, kind: type[Section]) -> dict[str, Any] | Problem:
    value = _opened(value)
    if isinstance(value, dict):
        return value
    first = next(iter(kind.model_fields))
    secret = any(fields.is_secret(field) for field in kind.model_fields.values())
    return Problem(
        name,
        "has no keys" if value in ("", None) else "must be a group of settings",
        f"write its keys indented below it, or set one with --path: pulumi config set --path {name}.{first} ...",
        None if secret or value in ("", None) else fields.shown(value),
    )


def _unknown(given: Iterable[str], known: Mapping[str, Any], prefix: str) -> Iterable[Problem]:
    for key in given:
        if key not in known:
            yield Problem(f"{prefix}{key}", "is not a setting", _meant(str(key), known, prefix))


def _meant(key: str, known: Mapping[str, Any], prefix: str) -> str:
    groups = {
        name: kind.model_fields
        for name, field in Settings.model_fields.items()
        if (kind := fields.section_of(field)) is not None
    }
    group, dot, rest = key.partition(".")
    if dot and not prefix and rest in groups.get(group, ()):
        return f"{rest} is a key inside {group}: pulumi config set --path {key} ..., then pulumi config rm {key}"
    inside = [f"did you mean {name}.{key}?" for name, keys in groups.items() if key in keys]
    close = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    if close and (prefix or not inside):
        return f"did you mean {prefix}{close[0]}?"
    if inside:
        return inside[0]
    return f"known {'keys of ' + prefix[:-1] if prefix else 'settings'} are {', '.join(known)}"


def _described(name: str, field: FieldInfo, section: type[Section] | None, error: ValidationError) -> Iterable[Problem]:
    seen: set[str] = set()
    entry = fields.entry_of(field)
    for detail in error.errors():
        path, leaf = _located(name, field, section, entry, detail["loc"])
        if path in seen:
            continue  # a union reports one mistake once per member
        seen.add(path)
        if detail["loc"][-1:] == ("[key]",):
            yield Problem(path, "is not a name", "use up to 63 letters, digits, dots, dashes and underscores")
            continue
        hidden = fields.is_secret(leaf) or detail["type"] == "missing"
        yield Problem(
            path,
            f"{_wording(detail)} ({fields.lowered(leaf.description or '')})",
            _remedy(path, leaf, detail["input"]),
            None if hidden else fields.shown(detail["input"]),
        )


def _located(
    name: str,
    field: FieldInfo,
    section: type[Section] | None,
    entry: type[Section] | None,
    location: tuple[int | str, ...],
) -> tuple[str, FieldInfo]:
    """Dotted path of the setting that an error is about, and its field."""
    if entry is not None:
        # [name, "[key]"] for a name that cannot be used, [name, field, ...] for what is in the group.
        inner = [str(part) for part in location[1:] if part in entry.model_fields]
        path = ".".join([name, *(str(part) for part in location[:1]), *inner])
        return path, entry.model_fields[inner[0]] if inner else field
    inner = [str(part) for part in location if section and part in section.model_fields]
    return ".".join([name, *inner]), section.model_fields[inner[0]] if section and inner else field


def _wording(detail: ErrorDetails) -> str:
    if detail["type"].startswith("ip_"):
        return "is not an IP address"
    if detail["type"].startswith("datetime_"):
        return "is not a time"
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    template = _WORDING.get(detail["type"])
    limits = {
        key: int(value) if value == int(value) else value
        for key, value in detail.get("ctx", {}).items()
        if isinstance(value, int | float)
    }
    return template.format(**limits) if template else detail["msg"]


def _remedy(path: str, field: FieldInfo, value: Any) -> str:
    if fields.is_secret(field):
        return f"pulumi config set --path --secret {path}"
    words = {word.lower(): word for word in fields.choices(field)}
    close = difflib.get_close_matches(str(value).lower(), words, n=1, cutoff=0.6) if len(words) > 1 else ()
    return f"use {fields.accepts(field)}" + (f" (did you mean {words[close[0]]}?)" if close else "")
