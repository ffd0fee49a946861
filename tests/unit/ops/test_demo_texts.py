from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ops.demo import texts

EXCERPT = (Path(__file__).parent / "dumpavail.txt").read_text(encoding="utf-8")


def test_package_descriptions_are_read_from_apts_lists(programs):
    programs.add("apt-cache", ("dumpavail", EXCERPT, 0))
    source = texts.collect(3)
    assert source.name == "Debian package descriptions"
    assert [text.id for text in source.texts] == ["0ad", "adduser", "accountsservice"]
    first, second, third = source.texts
    assert first.text == "Real-time strategy game of ancient warfare"
    assert second.text == (
        "add and remove users and groups\n"
        "This package includes the 'adduser' and 'deluser' commands for creating\nand removing users.\n\n"
        "- 'adduser' creates new users and groups and adds existing users to\nexisting groups;"
    )
    assert first.metadata == {
        "section": "games",
        "version": "0.0.26-3",
        "digest": hashlib.sha256(first.text.encode()).hexdigest()[:16],
    }
    assert third.metadata["section"] == "unknown"


def test_a_text_that_changes_has_another_digest(programs):
    programs.add("apt-cache", ("dumpavail", EXCERPT, 0))
    before = texts.collect(3).texts
    programs.add("apt-cache", ("dumpavail", EXCERPT.replace("ancient", "modern"), 0))
    after = texts.collect(3).texts
    assert [old.metadata["digest"] == new.metadata["digest"] for old, new in zip(before, after, strict=True)] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "answer", [("dumpavail", EXCERPT, 0), ("dumpavail", "", 0), ("dumpavail", "no lists", 100), None]
)
def test_too_few_packages_or_none_fall_back_to_docstrings(programs, answer):
    if answer:
        programs.add("apt-cache", answer)
    source = texts.collect(50)
    assert source.name.startswith("docstrings of Python")
    assert len(source.texts) == 50
    assert len(source.questions) == 5


def test_docstrings_are_real_stable_and_told_apart(programs):
    first, again = texts.collect(200), texts.collect(200)
    assert first == again
    assert len({text.id for text in first.texts}) == 200
    for text in first.texts:
        assert texts.SHORTEST_TEXT <= len(text.text) <= 5_000
        assert {"module", "line", "digest"} == set(text.metadata)


def test_a_file_that_is_not_python_is_passed_over(tmp_path):
    for name, content in {"a.py": b"def (", "b.py": b"\xff\xfe", "c.py": b"\0"}.items():
        (tmp_path / name).write_bytes(content)
        assert list(texts._module_docstrings(tmp_path / name, name)) == []
    (tmp_path / "d.py").write_text(f'def f():\n    """{"Waits for it. " * 5}"""\n', encoding="utf-8")
    assert [text.id for text in texts._module_docstrings(tmp_path / "d.py", "d")] == ["d:1"]
