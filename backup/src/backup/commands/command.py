"""What every command shares: the configuration and the target, progress on stderr, one result on stdout."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from store.progress import Progress, as_bar, as_json_lines, silent

from backup.config import Config, config_path, load, scratch_path
from backup.target import Target, opened


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the command line."""

    name: str
    summary: str
    """One line, lower case, no full stop."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    """Prints the result, returns the exit code; raises `BackupError` and `StoreError` for what `main` shall tell."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a command works with."""

    config: Config
    target: Target
    scratch: Path


def add_json(parser: argparse.ArgumentParser) -> None:
    """The argument which every command has."""
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on stdout; progress and errors as JSON lines on stderr"
    )


def add_wait(parser: argparse.ArgumentParser) -> None:
    """For commands that take turns."""
    parser.add_argument(
        "--wait-s",
        type=float,
        default=0.0,
        metavar="S",
        help="how long to wait for another base, check or removal",
    )


@contextlib.contextmanager
def setting() -> Iterator[Setting]:
    """Read the configuration, and open the target.

    Raises:
        BackupError: the configuration is wrong, or a tool is missing.
    """
    config = load(config_path())
    with opened(config) as target:
        yield Setting(config, target, scratch_path())


def progress_of(chosen: argparse.Namespace) -> Progress:
    """Where progress goes: JSON lines for programs, a bar on a terminal, else nowhere."""
    if chosen.json:
        return as_json_lines(sys.stderr)
    return as_bar(sys.stderr) if sys.stderr.isatty() else silent


def warning_of(chosen: argparse.Namespace) -> Callable[[str], None]:
    """Where warnings go: to stderr."""

    def warn(text: str) -> None:
        print(json.dumps({"warning": text}) if chosen.json else f"warning: {text}", file=sys.stderr)  # noqa: T201

    return warn


def print_result(chosen: argparse.Namespace, result: object, text: str) -> None:
    """Print the result to stdout: as one line of JSON, or the text for people."""
    print(json.dumps(result, default=str) if chosen.json else text)  # noqa: T201
