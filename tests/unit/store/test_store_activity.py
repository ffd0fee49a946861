"""One activity at a time: refused, waited for, and noticed when it was cut off."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import store

HOLD = (
    "import sys, store\nwith store.ActivityLock(sys.argv[1], 'compaction'):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


def holder(path: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    return child


def test_a_second_activity_is_refused_and_told_what_is_under_way(tmp_path: Path) -> None:
    child = holder(tmp_path)
    try:
        with (
            pytest.raises(store.StoreBusy, match=f"copy .* has to wait: compaction by process {child.pid}") as caught,
            store.ActivityLock(tmp_path, "copy"),
        ):
            pass
        assert caught.value.exit_code == 75
        assert caught.value.running is not None
        assert caught.value.running.what == "compaction"
    finally:
        child.kill()
        child.communicate()


def test_it_can_be_waited_for(tmp_path: Path) -> None:
    child = holder(tmp_path)
    assert child.stdin is not None
    child.stdin.close()
    with store.ActivityLock(tmp_path, "copy", wait_s=30) as lock:
        assert lock.interrupted is None
    child.wait(timeout=30)


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with store.ActivityLock(tmp_path, "repair"):
        began_s = time.monotonic()
        with pytest.raises(store.StoreBusy), store.ActivityLock(tmp_path, "copy", wait_s=0.3):
            pass
        assert 0.3 <= time.monotonic() - began_s < 10


def test_what_was_cut_off_is_told_to_the_next(tmp_path: Path) -> None:
    child = holder(tmp_path)
    child.kill()
    child.communicate()
    with store.ActivityLock(tmp_path, "repair") as lock:
        assert lock.interrupted is not None
        assert lock.interrupted.what == "compaction"
        assert lock.interrupted.holder.pid == child.pid
        told = json.loads(lock.file.read_text())
        assert told["what"] == "repair"
    with store.ActivityLock(tmp_path, "copy") as lock:
        assert lock.interrupted is None


def test_it_is_apart_from_the_writer_lock(tmp_path: Path) -> None:
    with store.WriterLock(tmp_path), store.ActivityLock(tmp_path, "compaction"):
        pass


def test_one_lock_is_not_taken_twice(tmp_path: Path) -> None:
    lock = store.ActivityLock(tmp_path, "copy")
    with lock, pytest.raises(store.StoreBusy), lock:
        pass
    with lock:
        pass


def test_no_directory_is_made_for_a_missing_store(tmp_path: Path) -> None:
    with pytest.raises(store.StoreMissing), store.ActivityLock(tmp_path / "nowhere", "copy"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / ".cortex").write_text("in the way")
    with pytest.raises(store.StoreReadOnly), store.ActivityLock(tmp_path, "copy"):
        pass
