"""What a running process consists of: the store, the model and the canary, opened in the background and closed once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cortex_api.admission import Load
from cortex_api.canary import Canary
from cortex_api.indexing import Indexer
from cortex_api.logs import get_logger
from cortex_api.model import Embedder, ModelIdentity
from cortex_api.phase import Phase, PhaseHolder
from cortex_api.problems import Problem
from cortex_api.settings import Settings
from cortex_api.storage import Storage, StoreClosed

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Warming:
    """How far the loading of the indexes is; `collection` is being loaded."""

    done: int
    of: int
    collection: str


class Runtime:
    """Holds the parts. HTTP is served from the start on, so that health can say `starting`."""

    def __init__(
        self,
        settings: Settings,
        open_storage: Callable[[], Storage],
        load_embedder: Callable[[], Embedder | None],
    ) -> None:
        """Prepare, without opening.

        Args:
            settings: of the process.
            open_storage: slow; called once, in a thread.
            load_embedder: the model, or None when this stack takes own vectors only; called before `open_storage`.
        """
        self.settings = settings
        self.phase = PhaseHolder()
        self.load = Load(settings.max_concurrent_requests, settings.max_body_bytes)
        self.started_at_s = time.monotonic()
        self.failure: BaseException | None = None
        self.canary: Canary | None = None
        self.warming: Warming | None = None
        self.waiting_for: str | None = None
        """While the server of a remote store does not answer at the start: why."""
        self.embedder: Embedder | None = None
        self._open_storage = open_storage
        self._load_embedder = load_embedder
        self._storage: Storage | None = None
        self._thread: threading.Thread | None = None

    @property
    def storage(self) -> Storage:
        """The open store.

        Raises:
            Problem: 503, it is not open yet.
        """
        if self._storage is None:
            raise Problem(503, "starting", "the API is opening its store", headers={"Retry-After": "2"})
        return self._storage

    @property
    def disk_was_full(self) -> bool:
        """Whether the open store met a full disk."""
        return self._storage is not None and self._storage.disk_was_full

    @property
    def running_model(self) -> ModelIdentity | None:
        """The model that embeds texts here; None when clients bring vectors."""
        return self.embedder.identity if self.embedder else None

    @property
    def indexer(self) -> Indexer:
        """What writes documents."""
        return Indexer(self.storage, self.embedder, self.settings)

    def open(self) -> None:
        """Load the model, open the store, and hear the canary once: after that the API is ready.

        Raises:
            ModelError: the model's folder is not usable.
            store.StoreError: the embedded store is not usable.
            StorageError: the remote store is not usable.
        """
        self.embedder = self._load_embedder()
        try:
            storage = self._open_storage()
        except StoreClosed:
            if self.phase.current is Phase.STOPPING:
                return
            raise
        storage.warm_up(self._warmed)
        if self.phase.current is Phase.STOPPING:  # told to stop meanwhile
            storage.close(self.settings.stop_grace_s)
            return
        self._storage = storage
        self.canary = Canary(storage.canary, self._canary_interval_s)
        self.canary.sing()
        self.canary.start()
        self.phase.opened()
        _log.info("ready", seconds=round(time.monotonic() - self.started_at_s, 2))

    @property
    def _canary_interval_s(self) -> float:
        # A remote store is only read, and an answer is all that is wanted: that may be often.
        return self.settings.chroma_check_interval_s if self.settings.is_remote else self.settings.canary_interval_s

    def _warmed(self, collection: str, done: int, of: int) -> None:
        self.warming = Warming(done, of, collection) if done < of else None
        if self.warming is not None:
            _log.info("warming", collection=collection, done=done, of=of)

    def open_in_background(self, on_failure: Callable[[], None]) -> None:
        """`open` in a thread; a failure is kept in `failure` and told to `on_failure`."""

        def run() -> None:
            try:
                self.open()
            except BaseException as error:  # the process must end whatever it was
                self.failure = error
                on_failure()

        self._thread = threading.Thread(target=run, name="open", daemon=True)
        self._thread.start()

    def begin_linger(self) -> bool:
        """Health says `stopping` from here on, requests are still taken; False when not told to, or not open."""
        return self.settings.stop_linger_s > 0 and self.phase.linger()

    def begin_stop(self) -> None:
        """No new work and no canary from here on."""
        self.phase.stop()
        if self.canary is not None:
            self.canary.stop()

    def close(self, timeout_s: float) -> bool:
        """Close the store after its running calls; False if some did not end in time."""
        deadline = time.monotonic() + timeout_s
        if self._thread is not None:
            self._thread.join(timeout_s)
        storage, self._storage = self._storage, None
        return storage is None or storage.close(max(0.0, deadline - time.monotonic()))
