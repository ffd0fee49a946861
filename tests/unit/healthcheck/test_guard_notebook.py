"""The guard's notes: what is written is read back, whatever was left is survived, nothing is half there."""

import os
import stat
from pathlib import Path

import pytest
from healthcheck.actions import PastRestart, Remembered, RestartReason
from healthcheck.ends import End
from healthcheck.fence import Crashes
from healthcheck.notebook import Notebook, Notes
from healthcheck.observation import ScrubView


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    book = Notebook(tmp_path)
    assert book.notes == Notes()
    assert book.write(
        end=End.CRASHED,
        end_message="killed",
        run_since_ns=123,
        started_wall_s=1.5,
        disk_full=True,
        crashes=Crashes((1.0, 2.0), tripped=True),
        scrub=ScrubView(running=True, ended_wall_s=5.0, findings=3, undecided=1, mendable=2, unmended=1, took_s=0.5),
        remembered=Remembered(restarts=(PastRestart(RestartReason.WEDGED, 9.0),), planned_wall_s=4.0),
    )
    again = Notebook(tmp_path).notes
    assert again.scrub.running is False, "a scrub does not outlive its guard"
    assert again == Notes(
        **{**{name: getattr(book.notes, name) for name in Notes.__dataclass_fields__}, "scrub": again.scrub}
    )
    assert again.remembered.restarts[0].reason is RestartReason.WEDGED


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "end": "running"}', "\x00"])
def test_what_cannot_be_read_is_an_unknown_end(tmp_path: Path, text: str) -> None:
    Notebook(tmp_path).write(end=End.CLEAN)
    (tmp_path / ".cortex/guard.json").write_text(text)
    book = Notebook(tmp_path)
    assert book.notes == Notes(end=End.UNKNOWN)
    assert "is not what a guard writes" in book.problem
    assert book.write(end=End.RUNNING)
    assert book.problem == ""
    assert Notebook(tmp_path).notes.end is End.RUNNING


def test_a_failing_write_is_told_and_leaves_the_old_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Notebook(tmp_path)
    book.write(end=End.RUNNING)

    def full(descriptor: int, raw: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        assert not book.write(end=End.CLEAN)
    assert "No space left on device" in book.problem
    assert book.notes.end is End.CLEAN
    assert Notebook(tmp_path).notes.end is End.RUNNING
    assert [path.name for path in (tmp_path / ".cortex").iterdir()] == ["guard.json"]
    assert book.write(), "the same notes are tried again after a failure"
    assert Notebook(tmp_path).notes.end is End.CLEAN


def test_a_change_is_on_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    fsync, replace = os.fsync, Path.replace

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        done.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def renamed(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", renamed)
    Notebook(tmp_path).write(end=End.CLEAN)
    assert done == ["file", "rename", "directory"]


def test_nothing_is_written_without_a_change(tmp_path: Path) -> None:
    book = Notebook(tmp_path)
    book.write(end=End.RUNNING)
    before = (tmp_path / ".cortex/guard.json").stat().st_ino
    assert book.write(end=End.RUNNING)
    assert (tmp_path / ".cortex/guard.json").stat().st_ino == before


def test_without_a_store_the_notes_are_in_memory(tmp_path: Path) -> None:
    book = Notebook(None)
    assert book.write(end=End.CLEAN)
    assert book.notes.end is End.CLEAN
    assert not list(tmp_path.iterdir())
