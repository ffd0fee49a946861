"""In which phase of its life the process is."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Starting until the store is open; stopping from the first SIGTERM on."""

    STARTING = "starting"
    OK = "ok"
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

    def stop(self) -> None:
        """No new work from here on."""
        self._current = Phase.STOPPING
