"""Reads settings the way the program gets them: a real settings file, groups handed over as JSON text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from infra.settings import Settings, load_settings
from infra.settings.origins import key_lines

Read = Callable[[str], Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Settings from the keys below `config:`, as text."""

    def settings(keys: str) -> Settings:
        file = tmp_path / "Pulumi.dev.yaml"
        file.write_text("config:\n" + "".join(f"  {line}\n" for line in keys.splitlines()), encoding="utf-8")
        given = yaml.safe_load(file.read_text(encoding="utf-8"))["config"] or {}
        raw = {
            key.removeprefix("cortex:"): json.dumps(value) if isinstance(value, dict | list) else str(value)
            for key, value in given.items()
        }
        return load_settings(raw, "dev", key_lines(file))

    return settings
