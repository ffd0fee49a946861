"""An archiver lets go of the database when somebody needs it alone, and none of the two waits for a dead one."""

import subprocess
import sys
from pathlib import Path

import pytest

import store

ARCHIVER = """
import sys, time, store
path, obedient = sys.argv[1], sys.argv[2] == "obedient"
with store.Archiving(path):
    print("open", flush=True)
    while not (obedient and store.is_wanted_closed(path)):
        time.sleep(0.02)
"""


def archiver(path: Path, kind: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", ARCHIVER, path, kind], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    return child


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def test_an_archiver_lets_go_when_asked_to_and_is_kept_out_meanwhile(tmp_path: Path) -> None:
    child = archiver(tmp_path, "obedient")
    try:
        assert store.is_archived(tmp_path)
        with store.Closed(tmp_path) as closed:
            closed.wait(30)
            assert not store.is_archived(tmp_path)
            assert child.wait(30) == 0
            with pytest.raises(store.StoreInUse, match="wanted closed"), store.Archiving(tmp_path):
                pass
        with store.Archiving(tmp_path):
            assert store.is_archived(tmp_path)
    finally:
        end(child)


def test_one_that_does_not_let_go_is_told_of_within_the_limit(tmp_path: Path) -> None:
    child = archiver(tmp_path, "deaf")
    try:
        with (
            store.Closed(tmp_path) as closed,
            pytest.raises(store.StoreInUse, match=r"did not close the database within 0\.3 s"),
        ):
            closed.wait(0.3)
        assert not store.is_wanted_closed(tmp_path)
    finally:
        end(child)


def test_the_dead_hold_nothing(tmp_path: Path) -> None:
    end(archiver(tmp_path, "deaf"))
    with store.Closed(tmp_path) as closed:
        closed.wait(5)


def test_there_is_one_archiver(tmp_path: Path) -> None:
    child = archiver(tmp_path, "deaf")
    try:
        with pytest.raises(store.StoreInUse, match="already has an archiver"), store.Archiving(tmp_path):
            pass
    finally:
        end(child)


def test_the_database_is_closed_for_one_at_a_time(tmp_path: Path) -> None:
    with (
        store.Closed(tmp_path),
        pytest.raises(store.StoreInUse, match="another process"),
        store.Closed(tmp_path),
    ):
        pass


def test_looking_needs_a_store(tmp_path: Path) -> None:
    with pytest.raises(store.StoreMissing):
        store.is_archived(tmp_path / "nowhere")
