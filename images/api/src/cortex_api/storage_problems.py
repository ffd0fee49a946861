"""What a caller is told when the store could not do what was asked."""

from __future__ import annotations

from cortex_api.indexing import PartlyWritten
from cortex_api.problems import Problem, Wrong, invalid
from cortex_api.storage import (
    ArgumentRefused,
    CollectionExists,
    CollectionMissing,
    CredentialRefused,
    DiskFull,
    IndexFailed,
    NotWritable,
    StorageError,
    StoreBusy,
    StoreClosed,
    TooManyCollections,
)


def problem_of(error: StorageError, collection: str | None = None) -> Problem | None:  # noqa: PLR0911 -- a table
    """The problem for `error`; None when it is a fault of ours, which is a 500 and goes to the log."""
    if isinstance(error, PartlyWritten):
        return _partly(error, collection)
    name = f"{collection!r}" if collection else "of this name"
    match error:
        case CollectionMissing():
            return Problem(404, "no-collection", f"there is no collection {name}; GET /v1/collections lists them")
        case CollectionExists():
            return Problem(409, "collection-exists", f"there is a collection {error.args[0]!r} already")
        case TooManyCollections():
            return Problem(
                409,
                "too-many-collections",
                f"there are {error} collections, the most this stack allows (CORTEX_MAX_COLLECTIONS): each costs "
                "2.75 MB and 4 file descriptors while loaded. Delete one, or size the stack for more",
            )
        case DiskFull():
            return Problem(
                507,
                "disk-full",
                "the store's volume has no space left; this batch may be written or not: send it again. Free space "
                "or enlarge the volume, then restart the stack: Chroma does not recover while it runs",
            )
        case NotWritable():
            return Problem(
                507,
                "not-writable",
                f"the store takes no writes for now: {error.reason}. Reads go on; deleting whole collections is "
                "possible. Free space or enlarge the volume, then send it again",
                headers={"Retry-After": str(error.retry_after_s)},
            )
        case IndexFailed():
            return Problem(
                500,
                "index-failed",
                f"the index of {collection!r} could not be written or read. Every acknowledged record is in the log: "
                "look at the disk's space, then restart the stack; if it stays, the store needs a repair",
            )
        case StoreBusy():
            return Problem(
                503,
                "store-busy",
                "the store is busy, or could not be reached; send the same request again",
                headers={"Retry-After": str(error.retry_after_s)},
            )
        case CredentialRefused():
            return Problem(
                500,
                "store-credential",
                "the way to the store does not accept this API's credential. Sending again does not help: who runs the "
                "stack must let the gateway's inner door and the API have the same one (CORTEX_CHROMA_TOKEN_FILE)",
            )
        case StoreClosed():
            return Problem(503, "stopping", "the API is stopping", headers={"Retry-After": "5"})
        case ArgumentRefused():
            return invalid([Wrong("body", str(error))])
    return None


def _partly(error: PartlyWritten, collection: str | None) -> Problem | None:
    cause = error.__cause__
    problem = problem_of(cause, collection) if isinstance(cause, StorageError) else None
    if problem is None:
        return None
    detail = f"{problem.detail}. The first {error.committed_rows} rows are written; sending all again is safe"
    return Problem(
        problem.status_code,
        problem.slug,
        detail,
        errors=problem.errors,
        headers=problem.headers,
        extra={"committed_rows": error.committed_rows},
    )
