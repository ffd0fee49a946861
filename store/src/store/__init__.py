"""What is known about Chroma's files on disk: preparing a store, and locking it for one writer.

Standard library only; Chroma itself is never imported.
"""

from store.activity import Activity, ActivityLock, StoreBusy
from store.compaction import Compaction, compact
from store.errors import (
    LogPurged,
    LogSwitchedOff,
    NotAStore,
    NotPrepared,
    PreparationFailed,
    StoreDamaged,
    StoreError,
    StoreInUse,
    StoreMissing,
    StoreReadOnly,
    UnknownSchema,
    WrongOwner,
)
from store.lock import Holder, StoreLocked, WriterLock
from store.log import LogAudit
from store.preparation import Condition, Preparation, prepare

__all__ = [
    "Activity",
    "ActivityLock",
    "Compaction",
    "Condition",
    "Holder",
    "LogAudit",
    "LogPurged",
    "LogSwitchedOff",
    "NotAStore",
    "NotPrepared",
    "Preparation",
    "PreparationFailed",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreInUse",
    "StoreLocked",
    "StoreMissing",
    "StoreReadOnly",
    "UnknownSchema",
    "WriterLock",
    "WrongOwner",
    "compact",
    "prepare",
]
