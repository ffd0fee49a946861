"""Pulumi.yaml and docs/settings.md say what the models say."""

from __future__ import annotations

import re

import pytest
import yaml

from infra import document
from infra.settings import Settings, SettingsError, fields, load_settings, project_schema

IN_STEP = "run `python -m infra.document`"
PAGE = document.ROOT / "docs" / "settings.md"


def test_the_project_file_is_in_step_with_the_models():
    text = document.PROJECT_FILE.read_text(encoding="utf-8")
    assert text == project_schema.render(text), IN_STEP


@pytest.mark.parametrize("page", document.PAGES, ids=lambda page: page.name)
def test_a_page_is_in_step_with_the_code(page):
    text = page.read_text(encoding="utf-8")
    assert text == document.rendered(text), IN_STEP


def test_every_place_is_on_exactly_one_page():
    pages = [page.read_text(encoding="utf-8") for page in document.PAGES]
    for name in document.PLACES:
        assert sum(page.count(document.BEGIN.format(name=name)) for page in pages) == 1, name


def test_the_schema_describes_every_setting_and_its_defaults_are_the_models():
    project = yaml.safe_load(document.PROJECT_FILE.read_text(encoding="utf-8"))
    assert project["name"] == "cortex"
    config = project["config"]
    assert list(config) == list(Settings.model_fields)
    for name, entry in config.items():
        assert set(entry) == {"type", "description", "default"}, name
        assert entry["description"], name
        field = Settings.model_fields[name]
        assert entry["type"] == ("object" if fields.section_of(field) or fields.entry_of(field) else "string")
    # What Pulumi hands over when nothing is set is what the models say by themselves.
    assert load_settings({name: entry["default"] for name, entry in config.items()}, "dev") == Settings()


def test_the_page_has_a_line_for_every_key():
    page = PAGE.read_text(encoding="utf-8").partition(document.BEGIN.format(name="settings"))[2]
    for name, field in Settings.model_fields.items():
        section = fields.section_of(field)
        keys = [f"{name}.{inner}" for inner in section.model_fields] if section else [name]
        if entry := fields.entry_of(field):
            keys += [f"{name}.NAME.{inner}" for inner in entry.model_fields]
        for key in keys:
            assert len(re.findall(rf"^\| `{re.escape(key)}` \|", page, re.MULTILINE)) == 1, key


def test_every_field_is_described_and_says_what_would_do():
    for name, field in Settings.model_fields.items():
        section, entry = fields.section_of(field), fields.entry_of(field)
        below = (section.model_fields if section else {name: field}) | (entry.model_fields if entry else {})
        for inner in below.values():
            assert inner.description
            assert fields.accepts(inner)


def test_the_pages_examples_can_be_used_and_its_error_is_the_real_one(read):
    page = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\nconfig:\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        read(re.sub(r"\n +secure: ...", " hunter2", re.sub(r"^  ", "", example, flags=re.MULTILINE)))
    shown = re.search(r"<!-- example -->\n```\n(.*?)```", page, re.DOTALL)
    with pytest.raises(SettingsError) as refused:
        read("cortex:corpus:\n  vecotrs: 5\n  horizon_months: 0\ncortex:access:\n  port: 70000")
    assert str(refused.value) == shown[1].rstrip()
