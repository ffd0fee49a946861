"""A small file with a secret or its hash, that is replaced while the process runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from cortex_api.logs import get_logger

_log = get_logger(__name__)
_Value = TypeVar("_Value")
_Stamp = tuple[int, int, int]


class FileUnusable(ValueError):  # noqa: N818 -- named after the state
    """The file is missing or not what it should be. The message names the variable, and repeats nothing of it."""


class WatchedFile(Generic[_Value]):
    """The file's value. It is looked at whenever it is asked for, and read again when it changed."""

    def __init__(self, variable: str, path: Path, parse: Callable[[str], _Value]) -> None:
        """Read the file.

        Args:
            variable: that names the path, for messages.
            path: of the file.
            parse: makes the value of the content; raises ValueError with what would do, without the content.

        Raises:
            FileUnusable: it cannot be used now.
        """
        self._variable = variable
        self._path = path
        self._parse = parse
        self._lock = threading.Lock()
        self._stamp = self._stamp_now()
        self._value = self._read()

    @property
    def value(self) -> _Value:
        """What the file holds; if that is not usable, what it held before."""
        stamp = self._stamp_now()
        if stamp != self._stamp:
            with self._lock:
                if stamp != self._stamp:
                    # Remembered even when the file is bad: said once, and the last good value stays.
                    self._stamp = stamp
                    self._renew()
        return self._value

    def _renew(self) -> None:
        try:
            self._value = self._read()
        except FileUnusable as problem:
            _log.error("file.rejected", reason=str(problem), kept="what it held before")
        else:
            _log.info("file.loaded", variable=self._variable)

    def _read(self) -> _Value:
        try:
            return self._parse(self._path.read_text(encoding="ascii"))
        except OSError as problem:
            raise FileUnusable(f"{self._variable}={self._path}: {problem.strerror}") from problem
        except ValueError as problem:
            why = "holds more than ASCII" if isinstance(problem, UnicodeDecodeError) else str(problem)
            raise FileUnusable(f"{self._variable}={self._path}: {why}") from None

    def _stamp_now(self) -> _Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
