"""The `config:` block of Pulumi.yaml: what the Pulumi CLI knows of the settings, rendered from their models."""

from __future__ import annotations

from typing import Any

import yaml

from infra.settings import fields
from infra.settings.models import Settings

NOTE = "# Rendered from infra/settings/models.py (python -m infra.document); values go to Pulumi.<stack>.yaml.\n"


def schema() -> dict[str, dict[str, Any]]:
    """Type, description and default of every top-level setting, as Pulumi's project file wants them.

    Pulumi refuses a stack that leaves out a setting without default, so an optional group has an empty one.
    """
    return {
        name: {
            "type": "object" if fields.section_of(field) or fields.entry_of(field) else "string",
            "description": field.description,
            "default": {} if (default := fields.default_of(field)) is None else default,
        }
        for name, field in Settings.model_fields.items()
    }


def render(project_file: str) -> str:
    """The project file with its `config:` block brought up to date.

    Args:
        project_file: Text of Pulumi.yaml. The block is its end.
    """
    head = project_file.partition(NOTE)[0].partition("config:\n")[0]
    block = yaml.safe_dump({"config": schema()}, sort_keys=False, width=1_000)
    return head + NOTE + block
