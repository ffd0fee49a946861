"""A directory or a volume that a stock Chroma left: sent as a stream to the stack's store, which is changed at the end.

Whoever reads the source cannot write it, and has nothing of the stack; whoever writes the store has nothing of the
source. So neither owners nor hosts matter: the source may be root's, and the store on another machine.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from infra import names
from infra.topologies.parts import STORE_PATH
from ops import contained
from ops.alone import alone
from ops.docker_host import DockerHost
from ops.errors import StackError
from ops.importing.bars import Bars
from ops.importing.in_use import refuse_used
from ops.importing.outcome import Outcome
from ops.importing.sources import Directory, Volume
from ops.stack import Stack

SENDER, RECEIVER = "import-source", "import"
_SOURCE_PATH = "/source"
_STORE = ("python3", "-m", "store")
_CHECK_LIMIT_S = 300
_READS = "DAC_READ_SEARCH"
"""Files of any owner can be read with it, and nothing else be done."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How the source is read and the store written.

    Attributes:
        host: The store's.
        source: What is read.
        image: Of the store's server: it knows stores.
        user: Whose the store is.
        volume: The store's.
        stack: Name of the stack.
    """

    host: DockerHost
    source: Directory | Volume
    image: str
    user: str
    volume: str
    stack: str

    def sender(self, *arguments: str) -> list[str]:
        """The command that reads the source."""
        if isinstance(self.source, Directory):
            return [sys.executable, "-m", "store", "send", str(self.source.path), "--json", *arguments]
        mount = f"type=volume,source={self.source.name},target={_SOURCE_PATH},readonly"
        program = [*_STORE, "send", _SOURCE_PATH, "--json", *arguments]
        options = [*self._named(SENDER), "--cap-add", _READS, "--mount", mount]
        return ["docker", *contained.command(self.image, program, user="0:0", options=options)]

    def receiver(self, *arguments: str) -> list[str]:
        """The command that writes the store."""
        mount = f"type=volume,source={self.volume},target={STORE_PATH}"
        program = [*_STORE, "receive", STORE_PATH, "--json", "--origin", str(self.source), *arguments]
        options = ["--interactive", *self._named(RECEIVER), "--mount", mount]
        return ["docker", *contained.command(self.image, program, user=self.user, options=options)]

    def clear(self) -> None:
        """End what an import that was killed may have left running."""
        for part in (SENDER, RECEIVER):
            self.host.try_docker(["rm", "--force", names.on_host(self.stack, part)])

    def _named(self, part: str) -> list[str]:
        labels = (f"{names.STACK_LABEL}={self.stack}", f"{names.KIND_LABEL}={names.WRITER}")
        return ["--name", names.on_host(self.stack, part), *(word for label in labels for word in ("--label", label))]


def run(stack: Stack, source: Directory | Volume, bars: Bars, *, force: bool) -> Outcome:
    """Import it. The store's server stands still meanwhile, and serves again whatever came of it.

    Args:
        stack: The stack, up.
        source: What to import. It is only read.
        bars: Shows how far it is.
        force: Move a store with collections aside.

    Raises:
        StackError: It cannot be imported; the store is as it was.
    """
    started_s = time.monotonic()
    way = _way(stack, source)
    _refuse_volume(stack, way)
    refuse_used(stack.near if isinstance(source, Directory) else way.host, source)
    way.clear()
    # Both refuse by themselves too, but the server would have been stopped for it.
    _ask(way, way.sender("--check"))
    if not force:
        _ask(way, way.receiver("--check"))
    bars.say(f"stopping the store's server of stack {stack.name}; it starts again at the end")
    with alone(stack):
        try:
            done = _carry(way, bars, force=force)
        finally:
            way.clear()
    notes = list(done["notes"])
    others = [each for each in done["databases"] if each != "default_tenant/default_database"]
    if others:
        notes.append(f"of other tenants or databases, which /v1 does not show: {', '.join(others)}")
    return Outcome(
        source=str(source),
        collections=done["collections"],
        records=done["records"],
        seconds=time.monotonic() - started_s,
        compared=done["vectors_compared"],
        moved_aside=done["moved_aside"],
        notes=tuple(notes),
    )


def _way(stack: Stack, source: Directory | Volume) -> _Way:
    server = stack.output("container")
    host = stack.host_of(server)
    found = contained.inspected(host, server)
    (volume,) = (mount["Name"] for mount in found["Mounts"] if mount["Destination"] == STORE_PATH)
    return _Way(host, source, found["Image"], found["Config"]["User"], volume, stack.name)


def _refuse_volume(stack: Stack, way: _Way) -> None:
    if not isinstance(way.source, Volume):
        return
    if way.source.name == way.volume:
        raise StackError(f"{way.source.name} is the store of stack {stack.name} itself")
    if way.host.try_docker(["volume", "inspect", way.source.name]).returncode:
        where = f" on {way.host.endpoint.docker}" if way.host.endpoint else ""
        raise StackError(f"there is no volume {way.source.name}{where}: `docker volume ls` lists them")


def _ask(way: _Way, command: Sequence[str]) -> None:
    with way.host.environment() as environ:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=_CHECK_LIMIT_S, check=False)
    if done.returncode:
        raise StackError(_reason(done.stderr.splitlines()), done.returncode)


def _carry(way: _Way, bars: Bars, *, force: bool) -> dict[str, Any]:
    """Send and receive; what the receiver says."""
    with way.host.environment() as environ, _running(way.sender(), environ) as sender:
        with _running(way.receiver(*(["--force"] if force else [])), environ, stdin=sender.stdout) as receiver:
            assert sender.stdout is not None and sender.stderr is not None  # noqa: S101, PT018 (they are pipes)
            assert receiver.stdout is not None and receiver.stderr is not None  # noqa: S101, PT018
            sender.stdout.close()  # it is the receiver's: a sender whose receiver is gone must hear of it
            heard = [line for line in receiver.stderr if not _shown(bars, line)]
            said, received = receiver.stdout.read(), receiver.wait()
        wrong, sent = sender.stderr.read().splitlines(), sender.wait()
    if not received:
        return dict(json.loads(said))
    # A receiver that ends first breaks its sender's pipe; one whose sender failed says only that something is missing.
    if sent > 0 and "BrokenPipeError" not in "".join(wrong):
        raise StackError(_reason(wrong), sent)
    raise StackError(_reason(heard), max(received, 1))


@contextlib.contextmanager
def _running(
    command: Sequence[str], environ: Mapping[str, str], stdin: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own: Ctrl-C is for this program, which ends the others in order."""
    with subprocess.Popen(
        command,
        env=environ,
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _shown(bars: Bars, line: str) -> bool:
    """Show a line of progress; whether it was one."""
    try:
        said = json.loads(line)
    except ValueError:
        return False
    if not isinstance(said, dict) or "error" in said:
        return False
    if progress := said.get("progress"):
        bars.tell(progress["what"], progress["done"], progress["of"])
    elif "message" in said:
        bars.say(said["message"])
    return True


def _reason(lines: Sequence[str]) -> str:
    """What a command of the store says that it failed for."""
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict) and "error" in said:
                return str(said["message"])
    text = "\n".join(lines).strip()
    if "invalid choice" in text:
        return "the stack's images are older than this command: bring it up again first"
    return text[-2_000:] or "it failed, and did not say why"
