"""What is known about Chroma's files on disk: preparing a store, and locking it for one writer.

Standard library only; Chroma itself is never imported.
"""

from store.activity import Activity, ActivityLock, StoreBusy
from store.adoption import Adoption, adopt
from store.archiving import Archiving, Closed, is_archived, is_wanted_closed
from store.aside import interrupted
from store.assembly import Assembly, assemble
from store.compaction import Compaction, compact
from store.copying import Copy, LeftOut, copy
from store.errors import (
    IndexDisagrees,
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
    TargetNotEmpty,
    UnknownSchema,
    WrongOwner,
)
from store.inspection import CollectionView, Inspection, Orphan, inspect
from store.lock import Holder, StoreLocked, WriterLock
from store.log import LogAudit
from store.preparation import Condition, Preparation, prepare
from store.renewing import Renewal, renew
from store.repairing import Repair, repair
from store.verification import Depth, Finding, FindingKind, Remedy, Verification, verify

__all__ = [
    "Activity",
    "ActivityLock",
    "Adoption",
    "Archiving",
    "Assembly",
    "Closed",
    "CollectionView",
    "Compaction",
    "Condition",
    "Copy",
    "Depth",
    "Finding",
    "FindingKind",
    "Holder",
    "IndexDisagrees",
    "Inspection",
    "LeftOut",
    "LogAudit",
    "LogPurged",
    "LogSwitchedOff",
    "NotAStore",
    "NotPrepared",
    "Orphan",
    "Preparation",
    "PreparationFailed",
    "Remedy",
    "Renewal",
    "Repair",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreInUse",
    "StoreLocked",
    "StoreMissing",
    "StoreReadOnly",
    "TargetNotEmpty",
    "UnknownSchema",
    "Verification",
    "WriterLock",
    "WrongOwner",
    "adopt",
    "assemble",
    "compact",
    "copy",
    "inspect",
    "interrupted",
    "is_archived",
    "is_wanted_closed",
    "prepare",
    "renew",
    "repair",
    "verify",
]
