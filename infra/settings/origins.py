"""Finds the line of a stack's settings file on which a key was set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml


def key_lines(stack_file: Path, project: str = "cortex") -> Mapping[str, str]:
    """Where each key of a `Pulumi.<stack>.yaml` stands.

    Args:
        stack_file: The settings file; a missing one has no lines.
        project: Namespace of the keys that count.

    Returns:
        Dotted path (without the namespace) to `file:line`.
    """
    if not stack_file.is_file():
        return {}
    lines: dict[str, str] = {}

    def walk(node: yaml.Node, prefix: str) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            path = f"{prefix}{key.value}"
            lines[path] = f"{stack_file.name}:{key.start_mark.line + 1}"
            walk(value, f"{path}.")

    root = yaml.compose(stack_file.read_text(encoding="utf-8"))
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value == "config":
                walk(value, "")
    # A key without a namespace is the project's own.
    return {
        path.removeprefix(f"{project}:"): line
        for path, line in lines.items()
        if path.startswith(f"{project}:") or ":" not in path
    }
