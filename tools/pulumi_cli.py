"""Runs the Pulumi CLI in the foreground, and leaves the settings files as they were."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tools import settings_files
from tools.locations import CHECKOUT


def foreground(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    program: Sequence[str] = ("pulumi",),
    checkout: Path = CHECKOUT,
) -> int:
    """Runs Pulumi, or another program that runs it (a shell), on this terminal.

    Args:
        arguments: What comes after the program's name.
        environ: From `tools.environment.environment`.
        program: What to run.
        checkout: Folder of Pulumi.yaml.

    Returns:
        Its exit code.
    """
    with settings_files.kept(checkout), _interrupts_are_the_childs():
        return subprocess.run([*program, *arguments], cwd=checkout, env=dict(environ), check=False).returncode


@contextmanager
def _interrupts_are_the_childs() -> Iterator[None]:
    """Ctrl-C reaches the whole foreground group; Pulumi ends in order, and this process waits for it."""

    def wait(_signal: int, _frame: FrameType | None) -> None:
        """Do nothing: the child decides. A handler, unlike SIG_IGN, is not inherited."""

    before = signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
