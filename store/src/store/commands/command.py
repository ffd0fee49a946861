"""What every command shares: its arguments, the writer lock, progress on stderr, one result on stdout."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from store.activity import ActivityLock
from store.archiving import Closed
from store.lock import WriterLock
from store.preparation import check_closed
from store.progress import Progress, as_bar, as_json_lines, silent

_LET_GO_LIMIT_S = 20.0
"""For an archiver to close the database."""


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the command line."""

    name: str
    summary: str
    """One line, lower case, no full stop."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    """Prints the result, returns the exit code; raises `StoreError` for what `main` shall tell."""


def add_common(parser: argparse.ArgumentParser, *, lock: bool, path: str = "path") -> None:
    """The arguments which every command has.

    Args:
        parser: the command's.
        lock: the command writes the store, so it takes the writer lock.
        path: name of the positional argument.
    """
    parser.add_argument(path, type=Path, help="the store: the directory that holds chroma.sqlite3")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on stdout; progress and errors as JSON lines on stderr"
    )
    if lock:
        parser.add_argument(
            "--lock-fd",
            type=int,
            metavar="N",
            help="descriptor of the writer lock which the calling process holds and passes on",
        )


@contextlib.contextmanager
def locked(chosen: argparse.Namespace, name: str) -> Iterator[None]:
    """Hold the store's writer lock, or make sure that the caller does (`--lock-fd`).

    Raises:
        StoreError: it is no store (nothing was made in it), or another process has the lock.
    """
    check_closed(chosen.path)  # before the lock, which would make its file in whatever directory was named
    if chosen.lock_fd is not None:
        WriterLock.inherited(chosen.path, chosen.lock_fd)
        yield
    else:
        with WriterLock(chosen.path, program=f"python -m store {name}"), Closed(chosen.path) as closed:
            closed.wait(_LET_GO_LIMIT_S)
            yield


@contextlib.contextmanager
def acting(chosen: argparse.Namespace, name: str) -> Iterator[None]:
    """Hold the writer lock and the activity lock. A caller that passes the one on (`--lock-fd`) holds the other.

    Raises:
        StoreError: as `locked`; or another activity is under way.
    """
    with locked(chosen, name), contextlib.ExitStack() as stack:
        if chosen.lock_fd is None:
            stack.enter_context(ActivityLock(chosen.path, name))
        yield


def progress_of(chosen: argparse.Namespace) -> Progress:
    """Where progress goes: JSON lines for programs, a bar on a terminal, else nowhere."""
    if chosen.json:
        return as_json_lines(sys.stderr)
    return as_bar(sys.stderr) if sys.stderr.isatty() else silent


def print_result(chosen: argparse.Namespace, result: object, text: str) -> None:
    """Print the result to stdout: as one line of JSON, or the text for people."""
    print(json.dumps(result, default=str) if chosen.json else text)  # noqa: T201
