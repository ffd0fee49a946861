"""Reads raw configuration into Settings, and collects every problem on the way."""

from __future__ import annotations

import contextlib
import difflib
import json
import types
from collections.abc import Iterable, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from infra.settings import rules
from infra.settings.models import Section, Settings
from infra.settings.problems import Problem, SettingsError

# Pydantic's words for an error type, said so that they read after the key's name.
_WORDING = {
    "missing": "is needed",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be one of {expected}",
    "string_pattern_mismatch": "has a form that cannot be used",
    "string_too_short": "must not be empty",
    "finite_number": "must be a finite number",
    "model_type": "must be a group of settings",
}


def load_settings(raw: Mapping[str, Any], stack: str, origins: Mapping[str, str] | None = None) -> Settings:
    """Read a stack's settings.

    Args:
        raw: Key (without the project's namespace) to value. Groups may be mappings, or JSON text as Pulumi
            hands them over.
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
        if name not in raw:
            sections[name] = field.get_default(call_default_factory=True)
            continue
        kind = _section_type(field)
        value = raw[name]
        if kind:
            group = _group(name, value)
            if isinstance(group, Problem):
                problems.append(group)
                continue
            problems += _unknown(group, kind.model_fields, f"{name}.")
            value = {key: item for key, item in group.items() if key in kind.model_fields}
        try:
            sections[name] = TypeAdapter[Any](field.rebuild_annotation()).validate_python(value)
        except ValidationError as error:
            problems += _described(name, field, kind, error)
    problems += rules.check(sections)
    if problems:
        raise SettingsError(stack, [_placed(problem, origins or {}) for problem in problems])
    return Settings(**sections)


def _group(name: str, value: Any) -> dict[str, Any] | Problem:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, dict):
        return value
    return Problem(name, "must be a group of settings", f"write the keys of {name} indented below it", _shown(value))


def _unknown(given: Iterable[str], known: Mapping[str, Any], prefix: str) -> Iterable[Problem]:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
            remedy = f"did you mean {close[0]}?" if close else "known are " + ", ".join(known)
            yield Problem(f"{prefix}{key}", "is not a setting", remedy)


def _described(name: str, field: FieldInfo, section: type[Section] | None, error: ValidationError) -> Iterable[Problem]:
    seen: set[str] = set()
    for detail in error.errors():
        location = [str(part) for part in detail["loc"] if not section or part in section.model_fields]
        path = ".".join([name, *location])
        if path in seen:
            continue  # a union reports one mistake once per member
        seen.add(path)
        leaf = section.model_fields[location[0]] if section and location else field
        secret = "SecretStr" in str(leaf.annotation)
        value = None if secret or detail["type"] == "missing" else _shown(detail["input"])
        yield Problem(path, _wording(detail, leaf), _remedy(leaf), value)


def _wording(detail: ErrorDetails, field: FieldInfo) -> str:
    if detail["type"].startswith("ip_"):
        return "is not an IP address"
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch" and "model" in (field.description or ""):
        return "is not a model this package knows"
    template = _WORDING.get(detail["type"])
    return template.format(**detail.get("ctx", {})) if template else detail["msg"]


def _remedy(field: FieldInfo) -> str:
    example = field.examples[0] if field.examples else field.get_default(call_default_factory=True)
    shown = "" if example is None or example is PydanticUndefined else f"; for example {_shown(example)}"
    return f"{(field.description or '')[:1].lower()}{(field.description or '')[1:]}{shown}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _section_type(field: FieldInfo) -> type[Section] | None:
    members = (
        get_args(field.annotation) if get_origin(field.annotation) in {Union, types.UnionType} else (field.annotation,)
    )
    return next((kind for kind in members if isinstance(kind, type) and issubclass(kind, BaseModel)), None)  # type: ignore[return-value]


def _placed(problem: Problem, origins: Mapping[str, str]) -> Problem:
    path = problem.path
    while path:
        if path in origins:
            return Problem(problem.path, problem.message, problem.remedy, problem.value, origins[path])
        path = path.rpartition(".")[0]
    return problem
