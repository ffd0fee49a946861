"""What a verification can find, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

SHOWN_IDS = 5
"""Ids that a finding names; it counts all."""


class Depth(StrEnum):
    """How deep to look; each depth includes the one before."""

    QUICK = "quick"
    """Files complete and of the right sizes, ids readable, counts agree, a sample of vectors."""
    INDEX = "index"
    """Every id and label of every index against log and records; every link."""
    EMBEDDINGS = "embeddings"
    """Every vector against the log, every record against the log, SQLite's own check."""


class FindingKind(StrEnum):
    """What is wrong."""

    INDEX_MISSING = "index_missing"
    """SQLite says that an index was saved, and its files are not there."""
    INDEX_TORN = "index_torn"
    """The files of an index do not belong together, or one of them is damaged."""
    INDEX_BEHIND = "index_behind"
    """An index lacks records which it should have, and which Chroma would not add."""
    INDEX_EXTRA = "index_extra"
    """An index has ids which were deleted, or never were."""
    INDEX_WRONG = "index_wrong"
    """Vectors or links of an index are provably wrong."""
    DISAGREEMENT = "disagreement"
    """A vector differs between index and log, and neither is provably right."""
    SAVE_LEFTOVER = "save_leftover"
    """Files of a save, or of a repair, that never came to its end."""
    ORPHAN_FOLDER = "orphan_folder"
    """An index folder that belongs to no collection."""
    LOG_OFF = "log_off"
    """The log is not kept: Chroma removes vectors from it."""
    LOG_PURGED = "log_purged"
    """Records whose vector the log does not hold."""
    RECORD_WRONG = "record_wrong"
    """A record's presence, document or metadata differs from what the log says."""
    SEGMENTS_WRONG = "segments_wrong"
    """A collection lacks one of its two segments in SQLite."""
    SQLITE_DAMAGED = "sqlite_damaged"
    """SQLite's file is cut off or inconsistent."""


class Remedy(StrEnum):
    """What mends it."""

    REBUILD = "rebuild"
    """`repair`: the index is made again from the log, which is provably right."""
    REMOVE = "remove"
    """`repair`: nothing refers to it."""
    UNDECIDED = "undecided"
    """An archive or a base decides which side is right; nothing is touched."""
    RESTORE = "restore"
    """A backup: what is damaged exists nowhere else in the store."""
    PREPARE = "prepare"
    """`prepare`: the log is to be switched on (again)."""
    ADOPT = "adopt"
    """`adopt`: the vectors are in the index alone, and are to be written into the log."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: FindingKind
    remedy: Remedy
    detail: str
    """In words, with numbers."""
    collection_id: str = ""
    collection_name: str = ""
    """With its database, where that is not the default."""
    segment_id: str = ""
    """Of the VECTOR segment, which is the folder's name too."""
    ids: tuple[str, ...] = ()
    """The first few records concerned."""
    count: int = 0
    """How many records are concerned; 0 where it is not about records."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, and what was found."""

    path: Path
    depth: Depth
    findings: tuple[Finding, ...]
    busy: tuple[str, ...]
    """Collections whose index was saved during each of several tries to read it: not judged."""
    collections: int
    """Collections looked at."""
    deep_collections: int
    """Of these, those looked at deeper than `quick`."""
    records: int
    """Live records of all collections."""
    vectors_compared: int
    bytes_read: int
    """Of index files and log, roughly."""
    started_ns: int
    """Wall clock, nanoseconds since the epoch: files changed later were not judged."""
    took_s: float

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def undecided(self) -> tuple[Finding, ...]:
        """What `repair` will not touch."""
        return tuple(each for each in self.findings if each.remedy not in {Remedy.REBUILD, Remedy.REMOVE})
