"""What the guard must still know after the container was restarted: `.cortex/guard.json` in the store."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from healthcheck.actions import PastRestart, Remembered, RestartReason
from healthcheck.ends import End
from healthcheck.fence import Crashes
from healthcheck.observation import ScrubView

VERSION = 1
_NAME = "guard.json"


@dataclass(frozen=True, slots=True)
class Notes:
    """Times are of the epoch."""

    end: End = End.NEVER
    end_message: str = ""
    """Words for people: how the last run ended."""
    run_since_ns: int | None = None
    """Start of the present run; after an unclean end, of the earliest that was not verified afterwards."""
    started_wall_s: float | None = None
    """Start of the last run."""
    disk_full: bool = False
    """Whether the last run has met a full disk."""
    crashes: Crashes = field(default_factory=Crashes)
    scrub: ScrubView = field(default_factory=ScrubView)
    remembered: Remembered = field(default_factory=Remembered)


class Notebook:
    """The notes, and their file. A change is forced to disk before it counts."""

    def __init__(self, store: Path | None) -> None:
        """Read the file. What cannot be read counts as a run with an unknown end.

        Args:
            store: None keeps the notes in memory only (a server without a store).
        """
        self._file = None if store is None else store / ".cortex" / _NAME
        self.problem = ""
        """Why the last change could not be written, or the file not be read; empty when all is well."""
        self.notes = self._read()

    def write(self, **changes: Any) -> bool:
        """Change some fields; False if that could not be written. The change counts in this process all the same."""
        changed = replace(self.notes, **changes)
        if changed == self.notes and not self.problem:
            return True
        self.notes = changed
        if self._file is None:
            return True
        try:
            _replace_file(self._file, json.dumps({"version": VERSION, **asdict(changed)}) + "\n")
        except OSError as error:
            self.problem = f"{self._file} cannot be written: {error.strerror}"
            return False
        self.problem = ""
        return True

    def _read(self) -> Notes:
        if self._file is None:
            return Notes()
        try:
            text = self._file.read_text()
        except FileNotFoundError:
            return Notes()
        except (OSError, UnicodeDecodeError) as error:
            self.problem = f"{self._file} cannot be read: {error}"
            return Notes(end=End.UNKNOWN)
        try:
            return _decoded(json.loads(text))
        except (KeyError, TypeError, ValueError) as error:
            self.problem = f"{self._file} is not what a guard writes: {error!r}"
            return Notes(end=End.UNKNOWN)


def _decoded(given: dict[str, Any]) -> Notes:
    if given.pop("version") != VERSION:
        raise ValueError("another version wrote it")
    remembered = dict(given["remembered"])
    remembered["restarts"] = tuple(
        PastRestart(RestartReason(past["reason"]), past["wall_s"]) for past in remembered["restarts"]
    )
    return Notes(
        **{
            **given,
            "end": End(given["end"]),
            "crashes": Crashes(tuple(given["crashes"]["times_s"]), given["crashes"]["tripped"]),
            "scrub": ScrubView(**{**given["scrub"], "running": False}),
            "remembered": Remembered(**remembered),
        }
    )


def _replace_file(path: Path, text: str) -> None:
    """Write beside it, force to disk, rename, force the name to disk."""
    temporary = path.with_name(path.name + ".new")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
