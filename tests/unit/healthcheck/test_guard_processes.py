"""Children that die with their parent, are stopped as a group and reaped; the loop that waits for them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from healthcheck.loop import Loop, StopRequested
from healthcheck.operations import Operation, finish
from healthcheck.output import Log
from healthcheck.processes import Child, reap_strangers
from healthcheck.supervise import LOCK_VARIABLE, Server

QUIET = Log("", descriptor=os.open(os.devnull, os.O_WRONLY))
SLEEP = [sys.executable, "-IS", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def loop() -> Iterator[Loop]:
    before = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)}
    before |= {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGPIPE)}
    made = Loop(0.05)
    made.listen(lambda: None)
    yield made
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def python(code: str) -> list[str]:
    return [sys.executable, "-IS", "-c", code]


def gone(pid: int) -> bool:
    """Whether the process has ended, as a zombie or for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def await_(condition: object, limit_s: float = 10) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline_s, "waited too long"
        time.sleep(0.01)


def test_a_child_dies_with_its_parent() -> None:
    code = (
        "import sys, time\n"
        "from healthcheck.processes import Child\n"
        f"print(Child({SLEEP!r}).pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    await_(lambda: Path(f"/proc/{child}/cmdline").read_text().split("\0")[:3] == SLEEP[:3])
    parent.kill()
    parent.wait()
    parent.stdout.close()
    await_(lambda: gone(child))


@pytest.mark.parametrize(
    ("command", "code"), [(["/no/such/program"], 127), (["/dev/null"], 126), (python("raise SystemExit(3)"), 3)]
)
def test_how_a_child_ends(loop: Loop, command: list[str], code: int) -> None:
    child = Child(command, stdout=subprocess.DEVNULL)
    assert loop.wait(lambda: child.ended() is not None, 10)
    ended = child.ended()
    assert ended is not None
    assert ended.code == code


def test_a_killed_child(loop: Loop) -> None:
    child = Child(SLEEP, stdout=subprocess.DEVNULL)
    child.signal(signal.SIGKILL)
    assert loop.wait(lambda: child.ended() is not None, 10)
    assert str(child.ended()) == "was killed by SIGKILL"


def test_a_gentle_child_is_nice(loop: Loop) -> None:
    child = Child(python("import os; raise SystemExit(os.nice(0))"), nice=19, stdout=subprocess.DEVNULL)
    assert loop.wait(lambda: child.ended() is not None, 10)
    ended = child.ended()
    assert ended is not None
    assert ended.code == 19


def test_strangers_are_reaped_and_own_children_are_not(loop: Loop) -> None:
    own = Child(python("raise SystemExit(5)"), stdout=subprocess.DEVNULL)
    stranger = os.fork()
    if stranger == 0:
        os._exit(9)
    await_(lambda: gone(own.pid) and gone(stranger))
    assert reap_strangers() == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(stranger, 0)
    ended = own.ended()
    assert ended is not None
    assert ended.code == 5


def test_a_wait_ends_at_its_limit_and_at_a_childs_end(loop: Loop) -> None:
    started_s = time.monotonic()
    assert not loop.wait(lambda: False, 0.1)
    assert 0.1 <= time.monotonic() - started_s < 2
    slow = Loop(60)
    slow.listen(lambda: None)
    child = Child(python("pass"), stdout=subprocess.DEVNULL)
    assert slow.wait(lambda: child.ended() is not None, 20)
    assert time.monotonic() - started_s < 10, "the end was not noticed before the next tick"


def test_ticks_keep_their_time_during_waits() -> None:
    ticks = []
    loop = Loop(0.05)
    loop._on_tick = lambda: ticks.append(time.monotonic())
    loop.wait(lambda: False, 0.52)
    assert 9 <= len(ticks) <= 12
    with loop.faster(0.01):
        loop.wait(lambda: False, 0.2)
    assert len(ticks) >= 22


def test_a_request_to_stop_ends_a_wait_once_it_may(loop: Loop) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert not loop.wait(lambda: False, 0.1, stoppable=False)
    with pytest.raises(StopRequested, match="SIGTERM"):
        loop.wait(lambda: False, 5)
    assert loop.stops == 1


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = STUBBORN.replace("signal.SIG_IGN", "lambda *_: exit(0)").replace("import", "from sys import exit; import")


class Heard(Log):
    """Keeps what children say."""

    def __init__(self) -> None:
        super().__init__("", descriptor=os.open(os.devnull, os.O_WRONLY))
        self.lines: list[bytes] = []

    def pass_on(self, line: bytes, source: str, stream: str) -> None:  # noqa: ARG002
        self.lines.append(line)


@pytest.mark.parametrize(("program", "grace_s", "code", "in_time"), [(POLITE, 10, 0, True), (STUBBORN, 0.2, -9, False)])
def test_a_server_is_stopped_within_its_grace(
    loop: Loop, program: str, grace_s: float, code: int, *, in_time: bool
) -> None:
    log = Heard()
    server = Server(python(program), log)
    assert loop.wait(lambda: b"up" in log.lines, 10, every_s=0.01)
    assert server.stop(loop, grace_s).code == code
    assert server.stopped_in_time is in_time


def test_what_a_server_leaves_behind_is_killed(loop: Loop) -> None:
    log = Heard()
    fork = "import os, time\npid = os.fork()\nif pid: print(pid, flush=True)\nelse: time.sleep(60)"
    server = Server(python(fork), log)
    assert loop.wait(lambda: server.ended() is not None, 10)
    await_(lambda: gone(int(log.lines[0])))


def test_a_server_inherits_the_lock_and_only_the_lock(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCK_VARIABLE, "99")
    descriptor = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    log = Heard()
    seen = f"os.environ['{LOCK_VARIABLE}'], os.environ['SQLITE_TMPDIR'], os.listdir('/proc/self/fd')"
    code = f"import os\nprint({seen})"
    server = Server(python(code), log, lock_fd=descriptor, temporary=tmp_path)
    assert loop.wait(lambda: server.ended() is not None, 10)
    said = log.lines[0].decode()
    assert said.startswith(f"{descriptor} {tmp_path} ")
    assert f"'{descriptor}'" in said
    assert f"'{other}'" not in said
    os.close(descriptor)
    os.close(other)


def operation(code: str) -> Operation:
    return Operation("verify", python(code), QUIET)


def test_an_operation_tells_progress_and_result(loop: Loop) -> None:
    progress = json.dumps({"progress": {"what": "index", "done": 1, "of": 2}})
    running = operation(f"import sys; print({progress!r}, file=sys.stderr); print('{{\"findings\": []}}'); sys.exit(1)")
    done = finish(running, loop, 20)
    assert (done.exit_code, done.result, done.failed) == (1, {"findings": []}, False)
    assert running.progress == {"what": "index", "done": 1, "of": 2}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('import sys; print(\'{"error": "X", "message": "too bad"}\', file=sys.stderr); sys.exit(65)', "too bad"),
        ("raise ValueError('oops')", "ValueError: oops"),
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("import sys; sys.exit(1)", "without a result"),
    ],
)
def test_an_operation_that_fails_says_why(loop: Loop, code: str, words: str) -> None:
    done = finish(operation(code), loop, 20)
    assert done.failed
    assert words in done.problem


def test_an_operation_over_its_limit_is_stopped(loop: Loop) -> None:
    running = operation("import time; time.sleep(60)")
    done = finish(running, loop, 0.2)
    assert done.failed
    assert "was stopped" in done.problem
    assert gone(running.pid)


def test_a_request_to_stop_ends_the_operation(loop: Loop) -> None:
    running = operation("import time; time.sleep(60)")
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(StopRequested):
        finish(running, loop)
    assert gone(running.pid)
