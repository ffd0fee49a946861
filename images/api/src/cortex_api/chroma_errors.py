"""Chroma's errors, by what the caller can do about them."""

from __future__ import annotations

import errno
import re

from cortex_api.storage import (
    ArgumentRefused,
    CollectionExists,
    CollectionMissing,
    DiskFull,
    IndexFailed,
    StorageError,
    StoreBusy,
)

_FULL = re.compile(r"disk is full|no space left|disk i/o error.*full|SQLITE_FULL|code: 13\b", re.IGNORECASE)
_BUSY = re.compile(r"database is locked|SQLITE_BUSY|pool timed out|code: 5\b", re.IGNORECASE)
_INDEX = re.compile(r"hnsw segment (writer|reader)|loading hnsw index|pickle", re.IGNORECASE)
# An index is rewritten whole, so the write that fails can leave this much.
LITTLE_SPACE_BYTES = 64 << 20
# Chroma says who called it in the message's end ("… in upsert."), which means nothing to the caller.
_CALLER = re.compile(r" in (upsert|query|get|delete|add|update)\.$")

_EXISTS = re.compile(r"^Collection \[(.+)\] already exists")
_ARGUMENT_ERRORS = {"InvalidArgumentError", "InvalidDimensionException", "DuplicateIDError"}


def translated(  # noqa: PLR0911 -- a table
    error: Exception, free_bytes: int | None = None
) -> StorageError | None:
    """The storage error that `error` means, or None when it is a fault of ours or of Chroma's.

    Chroma has one class, InternalError, for most of what SQLite says, so the text decides. That an index could not be
    written has one text, whatever the reason; with little space left the reason is the disk.

    Args:
        error: what Chroma raised.
        free_bytes: of the store's file system, if it is known.
    """
    text = str(error)
    kind = type(error).__name__
    no_space = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    if no_space or _FULL.search(text):
        return DiskFull(text)
    if _BUSY.search(text):
        return StoreBusy(text)
    if _INDEX.search(text):
        return DiskFull(text) if free_bytes is not None and free_bytes < LITTLE_SPACE_BYTES else IndexFailed(text)
    if kind == "NotFoundError":
        return CollectionMissing(text)
    if exists := _EXISTS.match(text):
        return CollectionExists(exists[1])
    if kind in _ARGUMENT_ERRORS or isinstance(error, ValueError | TypeError):
        return ArgumentRefused(_plain(text))
    return None


def _plain(text: str) -> str:
    return _CALLER.sub("", text.removeprefix("Validation error: "))
