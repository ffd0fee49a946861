"""Trouble around a running server: no room, no memory, no descriptors, a wrong clock, a second writer."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.recovery import confine, injuries
from tests.recovery.scene import Scene
from tests.recovery.servers import Api, Stock, Victim, wait_until

FILLER = "filler"
_LATER_ROWS = 100_000
_TRIES = 40
DESCRIPTORS_LEFT = 10
_YEAR_S = 365 * 86_400
CLOCK = "clock"
"""A folder beside the store: its `sitecustomize.py` shifts Python's clock by what the file `offset` says."""
_SHIM = """\
import pathlib, time
_real, _offset = time.time, pathlib.Path(__file__).with_name("offset")
time.time = lambda: _real() + float(_offset.read_text())
"""
_HOG = """\
import os, sys
taken = []
while os.path.exists("/proc/" + sys.argv[1] + "/exe"):
    taken.append(b"x" * (1 << 20))
    if len(taken) > 4096:
        sys.exit("took 4 GiB, and nothing was killed")
"""


def server_pid(scene: Scene) -> int:
    """The process that has the store open."""
    return scene.server.victims(Victim.SERVER)[0]


def fill(scene: Scene, leave_bytes: int) -> None:
    """Take the room of the store's file system, but for so many bytes."""
    store = scene.server.inside(scene.store)
    status = os.statvfs(store)
    room = status.f_bavail * status.f_frsize - leave_bytes
    with (store / FILLER).open("wb") as filler, contextlib.suppress(OSError):
        for _ in range(max(0, room) // 4096):
            filler.write(b"\0" * 4096)
            filler.flush()


def make_room(scene: Scene) -> None:
    """Take the filler away."""
    (scene.server.inside(scene.store) / FILLER).unlink()


def fill_for_sqlite(scene: Scene) -> None:
    """No room at all, and writes."""
    fill(scene, 0)
    _write_until_refused(scene, 100)


def fill_for_index(scene: Scene) -> None:
    """Room for the rows that SQLite takes, not for the index that is saved after them."""
    scene.write(_LATER_ROWS, 340, times=2)  # 2,980 rows: the next save comes at 3,000
    fill(scene, 200_000)
    _write_until_refused(scene, 25)


def _write_until_refused(scene: Scene, rows: int) -> None:
    for each in range(_TRIES):
        if scene.write(2 * _LATER_ROWS + each * rows, rows):
            return
    raise LookupError(f"{_TRIES} writes were taken on a full disk")


def kill_for_memory(scene: Scene) -> None:
    """A second process in the control group takes memory until the kernel kills the server."""
    pid = server_pid(scene)
    Path(f"/proc/{pid}/oom_score_adj").write_text("1000")  # the kernel's choice shall not be chance
    group = scene.server.confined[scene.server.confined.index("--group") + 1]
    command = [sys.executable, "-I", "-S", confine.__file__, "--group", group, "--", sys.executable, "-I", "-S"]
    done = subprocess.run([*command, "-c", _HOG, str(pid)], capture_output=True, text=True, timeout=60, check=False)
    # The kernel may take this one too, before it has back what the server held.
    if done.returncode and Path(f"/proc/{pid}/exe").exists():
        raise LookupError(f"nothing was killed: {done.stderr[-300:]}")


def exhaust_descriptors(scene: Scene) -> None:
    """Leave the running server few descriptors, and open more connections than that."""
    pid = server_pid(scene)
    limit = len(list(Path(f"/proc/{pid}/fd").iterdir())) + DESCRIPTORS_LEFT
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    for _ in range(3 * DESCRIPTORS_LEFT):
        connection = socket.create_connection(("127.0.0.1", scene.server.port), timeout=5)
        connection.sendall(b"GET / HTTP/1.1\r\n")  # the rest never comes
        scene.connections.append(connection)


def prepare_clock(scene: Scene) -> None:
    """Let the processes see a clock that can be shifted; before they start."""
    folder = scene.server.folder / CLOCK
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SHIM)
    _shift(folder, 0)
    scene.server.extra["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def jump_clock(scene: Scene) -> None:
    """A year ahead, and back again after the guard has seen it."""
    folder = scene.server.folder / CLOCK
    _shift(folder, _YEAR_S)
    time.sleep(3)  # three ticks: nothing is awaited, something that must not happen gets its chance
    _shift(folder, 0)


def _shift(folder: Path, offset_s: int) -> None:
    (folder / "offset.new").write_text(str(offset_s))
    (folder / "offset.new").replace(folder / "offset")


def start_second(scene: Scene) -> None:
    """The same kind of server once more, over the same store."""
    second = type(scene.server)(scene.server.folder / "second")
    second.store = scene.store
    scene.others.append(second)
    second.start()
    if isinstance(second, Api):
        wait_until(lambda: second.exit_code() is not None, "the second server to be refused")
        scene.said.append(f"the second: exit {second.exit_code()}")
    else:
        second.wait_ready()


def start_stock_first(scene: Scene) -> None:
    """`chroma run` has the store open when the guard comes."""
    first = Stock(scene.server.folder / "first")
    first.store = scene.store
    scene.others.append(first)
    first.start()
    first.wait_ready()
    first.connect().names()


def stop_others(scene: Scene) -> None:
    """End the further servers."""
    for other in scene.others:
        other.stop()


def accept_log_again(scene: Scene) -> None:
    """The command that the refusal names."""
    scene.server.stop()
    command = [sys.executable, "-m", "store", "prepare", str(scene.store), "--switch-on-again"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def lose_index_permission(store: Path) -> None:
    """Nobody may enter the index's folder."""
    injuries.index(store).chmod(0)


def lose_database_permission(store: Path) -> None:
    """SQLite's file can be read only."""
    injuries.database(store).chmod(0o400)


def write_again(scene: Scene) -> None:
    """The records in which a bit was flipped."""
    for row in (injuries.FLIPPED_ROW, injuries.LATE_ROW):
        if problem := scene.write(row, 1):
            raise LookupError(problem)


def restore_permissions(scene: Scene) -> None:
    """As the message of the refusal says."""
    injuries.database(scene.store).chmod(0o644)
    injuries.index(scene.store).chmod(0o755)
