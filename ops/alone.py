"""A stack's store with nobody else on it, for as long as something is put in its place."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from infra import names
from infra.topologies.backup import BACKUP, DRILL
from ops.docker_host import DockerHost
from ops.stack import STOP_LIMIT_S, Stack

_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def alone(stack: Stack) -> Iterator[DockerHost]:
    """Stop the store's server, the archiver and the drill; start them again, whatever came of it.

    Also when this process is asked to end meanwhile, by whatever signal it can hear.

    Yields:
        The store's host.

    Raises:
        StackError: The stack is not up, or its containers can be neither stopped nor started.
    """
    server = stack.output("container")
    host = stack.host_of(server)
    there = stack.parts()
    stopped = [server, *(each for part in (BACKUP, DRILL) if (each := names.on_host(stack.name, part)) in there)]
    with endings_are_heard():
        try:
            host.docker(["stop", *stopped], STOP_LIMIT_S)
            yield host
        finally:
            with _not_interrupted():
                host.docker(["start", *stopped], STOP_LIMIT_S)


@contextmanager
def endings_are_heard() -> Iterator[None]:
    """A signal that would end the process ends what it does instead, so that it can be undone."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """An impatient second Ctrl-C does not leave the stack stopped. A handler, unlike SIG_IGN, is not inherited."""

    def wait(_number: int, _frame: FrameType | None) -> None:
        """Do nothing."""

    before = {number: signal.signal(number, wait) for number in (signal.SIGINT, *_ENDINGS)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
