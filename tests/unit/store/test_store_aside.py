"""A store that makes room for another is never left as an older one, nor looks as if it had never been."""

from __future__ import annotations

from pathlib import Path

import pytest
from store.aside import move_aside, replaced

import store

FILES = ("chroma.sqlite3", "chroma.sqlite3-shm", "chroma.sqlite3-wal", "0a1b2c3d-0000-1111-2222-333344445555")


class Killed(Exception):  # noqa: N818
    pass


@pytest.fixture
def full(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text(name)
    (tmp_path / ".cortex").mkdir()
    (tmp_path / ".cortex/lineage.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("moved", range(len(FILES) + 1))
def test_a_kill_at_any_move_leaves_the_whole_store_or_says_where_it_is(
    full: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    rename, count = Path.rename, 0

    def until_killed(self: Path, target: Path) -> Path:
        nonlocal count
        if count == moved:
            raise Killed
        count += 1
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", until_killed)
        with pytest.raises(Killed):
            move_aside(full, "before-restore", but="restoring")
    if (full / "chroma.sqlite3").exists():
        assert {file for file in FILES if file.startswith("chroma")} <= {entry.name for entry in full.iterdir()}
        assert store.interrupted(full) == ""
    else:
        assert str(full / ".cortex/aside") in store.interrupted(full)
    everywhere = {entry.name for entry in full.rglob("*") if entry.is_file()}
    assert everywhere >= {*FILES, "lineage.json"}


def test_what_came_to_its_end_is_no_interruption(full: Path) -> None:
    assert store.interrupted(full) == ""
    move_aside(full, "before-restore", but="restoring")
    assert store.interrupted(full) != ""
    (full / "chroma.sqlite3").write_text("another")
    replaced(full)
    (full / "chroma.sqlite3").unlink()
    assert store.interrupted(full) == ""
