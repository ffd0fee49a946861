"""Opening a remote store: it is waited for, because it may be starting, or restarting, just as this process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from cortex_api.logs import get_logger
from cortex_api.phase import Phase, PhaseHolder
from cortex_api.remote_storage import RemoteStorage
from cortex_api.settings import Settings
from cortex_api.storage import CredentialRefused, StoreBusy, StoreClosed
from cortex_api.watched_file import WatchedFile

_log = get_logger(__name__)
_PAUSE_S = 0.5
_SAY_EVERY_S = 10.0
# Beside the requests that are admitted: the look whether the server answers.
_SPARE_CONNECTIONS = 4


class Waiting(Protocol):
    """Who waits: its phase, and where it says what for."""

    phase: PhaseHolder
    waiting_for: str | None


def open_remote(
    settings: Settings, token: WatchedFile[str], who: Waiting, pause: Callable[[float], None] = time.sleep
) -> RemoteStorage:
    """The open store, as soon as its server answers. What is wrong meanwhile is told by `who`, and to the log.

    A refused credential is waited for as well: where gateway and API get a new one, one of them is first.

    Raises:
        StoreClosed: the process was told to stop before.
        StorageError: something that waiting does not change.
    """
    said_s = -_SAY_EVERY_S
    while who.phase.current is not Phase.STOPPING:
        try:
            storage = RemoteStorage(
                settings.chroma_url or "",
                lambda: token.value,
                settings.max_collections,
                timeout_s=settings.chroma_timeout_s,
                connections=settings.max_concurrent_requests + _SPARE_CONNECTIONS,
            )
        except (StoreBusy, CredentialRefused) as problem:
            who.waiting_for = str(problem)
            if time.monotonic() - said_s >= _SAY_EVERY_S:
                said_s = time.monotonic()
                _log.warning("store.wait", reason=str(problem))
            pause(_PAUSE_S)
        else:
            who.waiting_for = None
            _log.info("store.reached", url=settings.chroma_url)
            return storage
    raise StoreClosed("told to stop before the store's server answered")
