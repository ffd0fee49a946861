"""In which phase of its life the process is."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Starting until the store is open; from the first SIGTERM on lingering, if it is told to, then stopping."""

    STARTING = "starting"
    OK = "ok"
    LINGERING = "lingering"
    """Requests are still taken, but whoever asks is told not to send more."""
    STOPPING = "stopping"


class PhaseHolder:
    """The current phase. It only moves forward."""

    def __init__(self) -> None:
        self._current = Phase.STARTING

    @property
    def current(self) -> Phase:
        """The phase now."""
        return self._current

    def opened(self) -> None:
        """The store is open; ignored once stopping."""
        if self._current is Phase.STARTING:
            self._current = Phase.OK

    def linger(self) -> bool:
        """Take leave; False, and ignored, when nothing is served."""
        if self._current is Phase.OK:
            self._current = Phase.LINGERING
        return self._current is Phase.LINGERING

    def stop(self) -> None:
        """No new work from here on."""
        self._current = Phase.STOPPING
