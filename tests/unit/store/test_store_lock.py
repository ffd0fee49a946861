"""One writer per store: across processes, threads of life, deaths and children."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from store.lock import _container_id

import store

HOLD = (
    "import sys, store\nwith store.WriterLock(sys.argv[1], program='the first'):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


def holder(path: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    return child


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    child = holder(tmp_path)
    try:
        with (
            pytest.raises(store.StoreLocked, match=f"process {child.pid} \\(the first\\)") as caught,
            store.WriterLock(tmp_path),
        ):
            pass
        assert caught.value.holder is not None
        assert caught.value.holder.pid == child.pid
        assert caught.value.exit_code == 75
    finally:
        child.kill()
        child.communicate()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    child = holder(tmp_path)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    with store.WriterLock(tmp_path) as lock:
        assert lock.predecessor is not None
        assert lock.predecessor.pid == child.pid


def test_a_clean_end_leaves_the_file_and_no_predecessor(tmp_path: Path) -> None:
    child = holder(tmp_path)
    child.communicate()
    assert (tmp_path / ".cortex" / "lock").exists()
    with store.WriterLock(tmp_path) as lock:
        assert lock.predecessor is None


def test_the_file_tells_who_holds_it(tmp_path: Path) -> None:
    with store.WriterLock(tmp_path, program="me") as lock:
        told = json.loads(lock.file.read_text())
        assert told["pid"] == os.getpid()
        assert told["program"] == "me"
        assert told["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert lock.file.stat().st_mode & 0o777 == 0o600
        assert lock.file.parent.stat().st_mode & 0o777 == 0o700


def test_two_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    with store.WriterLock(tmp_path) as lock:
        for second in (lock, store.WriterLock(tmp_path)):
            with pytest.raises(store.StoreLocked, match=f"process {os.getpid()}"), second:
                pass
    with lock:
        pass


STARTED = "import os, sys; print('started', flush=True); sys.stdin.read()"
BY_EXEC = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STARTED!r}], close_fds=False)"
BY_FORK = f"import os\nif os.fork() == 0:\n    exec({STARTED!r})\nelse:\n    os.wait()"


@pytest.mark.parametrize("start", [BY_EXEC, BY_FORK], ids=["exec", "fork"])
def test_a_child_that_outlives_the_killed_holder_has_no_lock(tmp_path: Path, start: str) -> None:
    code = f"import store\nwith store.WriterLock({str(tmp_path)!r}):\n    exec({start!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        with pytest.raises(store.StoreLocked), store.WriterLock(tmp_path):
            pass
        parent.kill()
        parent.wait()
        with store.WriterLock(tmp_path) as lock:
            assert lock.predecessor is not None
    finally:
        parent.communicate()  # closes the child's standard input, which ends it


def test_a_forked_child_that_leaves_the_block_does_not_unlock(tmp_path: Path) -> None:
    with store.WriterLock(tmp_path) as lock:
        child = os.fork()
        if child == 0:
            lock.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(store.StoreLocked), store.WriterLock(tmp_path):
            pass
        assert lock.file.stat().st_size > 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "\x00\xff"])
def test_whatever_the_file_says_the_lock_is_the_kernels(tmp_path: Path, text: str) -> None:
    (tmp_path / ".cortex").mkdir()
    (tmp_path / ".cortex" / "lock").write_text(text, encoding="latin-1")
    with store.WriterLock(tmp_path) as lock:
        assert lock.predecessor is None


def test_a_missing_store_gets_no_directory(tmp_path: Path) -> None:
    with pytest.raises(store.StoreMissing), store.WriterLock(tmp_path / "nowhere"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / ".cortex").write_text("in the way")
    with pytest.raises(store.StoreReadOnly), store.WriterLock(tmp_path):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".cortex").mkdir()
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / ".cortex" / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(store.StoreReadOnly), store.WriterLock(tmp_path):
        pass
    assert (tmp_path / "elsewhere").read_text() == "precious"


@pytest.mark.parametrize(
    ("mountinfo", "short"),
    [
        ("1 2 8:1 /var/lib/docker/containers/" + "ab" * 32 + "/hostname /etc/hostname rw - ext4 /dev/sda rw", "ab" * 6),
        ("1 2 0:1 / / rw - ext4 /dev/sda rw", ""),
    ],
)
def test_container_id(mountinfo: str, short: str) -> None:
    assert _container_id(mountinfo) == short


USE = (
    "import sys, store\nstore.WriterLock.inherited(sys.argv[1], int(sys.argv[2]))\n"
    "print('mine', flush=True); sys.stdin.read()"
)


def heir(path: Path, descriptor: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", USE, path, str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_child_that_was_given_the_lock_keeps_it_beyond_its_parents_death(tmp_path: Path) -> None:
    lock = store.WriterLock(tmp_path)
    with lock:
        child = heir(tmp_path, lock.fileno())
        assert child.stdout is not None
        assert child.stdout.readline() == b"mine\n"
        os.close(lock.fileno())  # as the kernel does when the parent is killed
        lock._descriptor = None
    try:
        with pytest.raises(store.StoreLocked), store.WriterLock(tmp_path):
            pass
    finally:
        child.kill()
        child.communicate()
    with store.WriterLock(tmp_path):
        pass


def test_a_descriptor_that_is_not_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with store.WriterLock(tmp_path), store.WriterLock(tmp_path / "other") as other:
        child = heir(tmp_path, other.fileno())
        _, problem = child.communicate(timeout=20)
        assert child.returncode == 1
        assert b"StoreLocked" in problem
        with (tmp_path / ".cortex/lock").open("r+") as opened, pytest.raises(store.StoreLocked):
            store.WriterLock.inherited(tmp_path, opened.fileno())  # the right file, but not the one that holds it


def test_a_lock_that_is_not_held_has_no_descriptor(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not held"):
        store.WriterLock(tmp_path).fileno()
