"""The two processes that ship the log: Litestream, which reads it, and rclone, which takes it to the target."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from store.database import database_path

from backup import litestream
from backup.command import LITESTREAM, Running, environment
from backup.config import Config, DirectoryTarget
from backup.errors import ToolFailed
from backup.gateway import Gateway
from backup.private import write_private
from backup.target import Target

_SYNC_LIMIT_S = 2
_STOP_GRACE_S = 7.0
"""After a request to stop: with a look and a measurement within the 10 s that whoever closes the database waits."""


class Misfit(Exception):  # noqa: N818 (named after the state)
    """The files here and those at the target do not fit together: no waiting mends that."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How it stands, as of a moment."""

    asked_s: float
    """Everything that was committed by then is at the target: seconds of the epoch."""
    lag_s: float
    """How long before that the target had last got everything by itself."""
    took_s: float
    """Until it had everything now."""
    transaction: int
    """The newest at the target."""


class Shipping:
    """Both processes. They die with the thread that starts them."""

    def __init__(self, config: Config, target: Target, hear: Callable[[bytes, str], None]) -> None:
        """Args: target: as opened from the configuration. hear: gets each line they say, and the stream's name."""
        self._config = config
        self._target = target
        self._hear = hear
        self._database = database_path(config.store)
        self._control = target.folder / "litestream.sock"
        self._gateway = Gateway(target, hear)
        self._litestream: Running | None = None
        staging = re.escape(str(config.archive.staging_path))
        self._misfit = re.compile(rf"(open|verify|decode|read) ltx file {staging}")

    @property
    def pids(self) -> dict[str, int]:
        """Ids of the running processes by name."""
        found = {"litestream": self._litestream.pid if self._litestream else None, "rclone": self._gateway.pid}
        return {name: pid for name, pid in found.items() if pid is not None}

    def start(self, lineage: str) -> None:
        """Ship to this lineage.

        Raises:
            BackupError: it cannot be begun.
        """
        self._gateway.start()
        content = litestream.configuration(
            database=self._database,
            staging=self._config.archive.staging_path / lineage,
            control=self._control,
            replica=self._gateway.replica(lineage),
            settings=self._config.archive,
            read_ms=litestream.NEAR_MS if isinstance(self._config.target, DirectoryTarget) else litestream.FAR_MS,
        )
        file = write_private(self._target.folder / "litestream.json", content)
        self._control.unlink(missing_ok=True)
        command = (LITESTREAM, "replicate", "-no-expand-env", "-config", str(file))
        self._litestream = Running(command, environment(), self._hear)

    def keep(self) -> bool:
        """See that both run: rclone is started again when it ended; whether it was.

        Raises:
            BackupError: Litestream ended, or rclone does not start again.
        """
        if self._litestream is not None and (code := self._litestream.ended()) is not None:
            raise ToolFailed(f"litestream ended with {code}; its last lines are in the log")
        if self._gateway.alive():
            return False
        self._gateway.start()
        return True

    def measure(self) -> Measured:
        """Have everything shipped now.

        Raises:
            OSError: it did not arrive in time; the message says why.
            Misfit: it never will.
        """
        asked_s = time.time()
        try:
            before = litestream.last_sync(self._control)
            synced = litestream.sync(self._control, self._database, _SYNC_LIMIT_S)
        except OSError as error:
            if self._misfit.search(str(error)):
                raise Misfit(f"what is here does not fit what is at the target ({error})") from error
            raise OSError(self._gateway.trouble or str(error)) from error
        lag_s = 0.0 if before is None else max(0.0, asked_s - _seconds(before))
        return Measured(asked_s, lag_s, time.time() - asked_s, synced.transaction)

    def stop(self) -> None:
        """Have Litestream ship the rest and close the database; end both."""
        if self._litestream is not None:
            self._litestream.stop(_STOP_GRACE_S)
            self._litestream = None
        self._gateway.stop()


def _seconds(iso: str) -> float:
    return datetime.datetime.fromisoformat(iso).timestamp()
