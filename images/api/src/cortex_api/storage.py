"""What the API needs from a store, wherever it is: values in, values out, and errors with names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cortex_api.model import ModelIdentity, Vectors

Metadata = dict[str, Any]

RESERVED_PREFIX = "cortex:"
"""Keys of a collection's metadata that hold what we must know about it; never shown as the user's."""


class StorageError(Exception):
    """The store could not do what was asked."""


class CollectionMissing(StorageError):  # noqa: N818 -- named after the state, as in FileNotFound
    """There is no collection of this name."""


class CollectionExists(StorageError):  # noqa: N818
    """There is a collection of this name."""


class TooManyCollections(StorageError):  # noqa: N818
    """The limit of collections is reached."""


class ArgumentRefused(StorageError):  # noqa: N818
    """The store does not accept an argument; the message is for the caller."""


class DiskFull(StorageError):  # noqa: N818
    """There is no space left for the store."""


class NotWritable(StorageError):  # noqa: N818
    """The guard has closed the store for writes, before its disk is full."""

    def __init__(self, reason: str, retry_after_s: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class IndexFailed(StorageError):  # noqa: N818
    """The index of a collection could not be written or read; the log still has every record."""


class StoreBusy(StorageError):  # noqa: N818
    """The store did not become free, or could not be reached, in time."""

    def __init__(self, reason: str, retry_after_s: int = 2) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class CredentialRefused(StorageError):  # noqa: N818
    """The way to a remote store does not accept this process's credential; the message says what to do."""


class StoreClosed(StorageError):  # noqa: N818
    """The store is closed, or closing."""


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """A collection to be made. `model` is None when its vectors come from the caller only."""

    name: str
    dimensions: int
    space: str
    model: ModelIdentity | None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as it is. `dimensions` is None only for one that was not made by this API and is still empty."""

    id: str
    name: str
    dimensions: int | None
    space: str
    model: ModelIdentity | None
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch: n ids, vectors [n, dimensions], and per id a text and metadata or None."""

    ids: Sequence[str]
    vectors: Vectors
    texts: Sequence[str | None]
    metadatas: Sequence[Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: all conditions together. None does not restrict."""

    ids: Sequence[str] | None = None
    where: Mapping[str, Any] | None = None
    where_document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record; what was not asked for is None. `distance` is set in answers to queries only."""

    id: str
    text: str | None = None
    metadata: Metadata | None = None
    vector: Vectors | None = None
    distance: float | None = None


@dataclass(frozen=True, slots=True)
class Include:
    """What to read of a record besides its id."""

    texts: bool = True
    metadatas: bool = True
    vectors: bool = False
    distances: bool = True


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The store from outside. `place` is a folder or a URL; bytes are None when the store is on another machine."""

    engine: str
    engine_version: str
    place: str
    bytes: int | None
    free_bytes: int | None
    collections: int
    max_batch_rows: int


class Storage(Protocol):
    """A store with collections. Every method may raise a `StorageError`; all are safe to call from several threads."""

    def create_collection(self, spec: CollectionSpec) -> Collection:
        """Make a collection; `CollectionExists`, `TooManyCollections`."""

    def list_collections(self, limit: int, offset: int) -> tuple[list[Collection], int]:
        """One page in order of name, and how many there are."""

    def get_collection(self, name: str) -> Collection:
        """The collection; `CollectionMissing`."""

    def delete_collection(self, name: str) -> None:
        """Remove the collection and all it holds; `CollectionMissing`."""

    def count(self, name: str) -> int:
        """Records of the collection."""

    def upsert(self, name: str, rows: Rows) -> None:
        """Write one batch, all or nothing, of at most `max_batch_rows` rows."""

    def get(self, name: str, selection: Selection, limit: int, offset: int, include: Include) -> list[Record]:
        """One page of the records selected, in order of insertion."""

    def delete(self, name: str, selection: Selection) -> int:
        """Remove what is selected; returns how many records there were."""

    def query(self, name: str, vectors: Vectors, k: int, selection: Selection, include: Include) -> list[list[Record]]:
        """Per vector its `k` nearest records, nearest first."""

    def canary(self, value: float) -> tuple[float, float]:
        """Prove that the store works; returns seconds of a write and of reads.

        An embedded store writes `value`, reads it back and searches for it. A remote one is only read (no seconds for
        a write): its own guard writes.
        """

    @property
    def disk_was_full(self) -> bool:
        """Whether the store met a full disk since it was opened; Chroma does not recover from that while it runs.

        False for a remote store, whose own guard looks at that.
        """

    def warm_up(self, progress: Callable[[str, int, int], None]) -> None:
        """Load every index, so that no caller waits for it; `progress` hears name, done, and of how many.

        Nothing to do for a remote store: its own guard does it.
        """

    def facts(self) -> StoreFacts:
        """The store from outside; cheap."""

    def close(self, timeout_s: float) -> bool:
        """Let running calls end and close; False if some did not end in time."""

    @property
    def max_batch_rows(self) -> int:
        """Rows that one `upsert` takes."""
