"""Statuses with which Chroma, or the gateway before it, refuses a request without having done it."""

from __future__ import annotations

import json
from http import HTTPStatus

from cortex_api.storage import (
    ArgumentRefused,
    CredentialRefused,
    DiskFull,
    NotWritable,
    StorageError,
    StoreBusy,
)

_BUSY = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_DEFAULT_RETRY_S = 2
_DEFAULT_WRITABLE_RETRY_S = 60
_MAX_RETRY_S = 3_600
_MAX_REASON_CHARS = 300


def refusal_of(status: int, retry_after: str | None, body: str) -> StorageError | None:
    """What a status means for the caller; None for an answer of Chroma's own, good or bad.

    Args:
        status: HTTP status.
        retry_after: that header's value; only whole seconds count.
        body: what came with it; a problem document, Chroma's error, or anything.
    """
    reason = f"HTTP {status}: {_reason(body)}"
    if status in _BUSY:
        return StoreBusy(reason, _seconds(retry_after, _DEFAULT_RETRY_S))
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return CredentialRefused(
            f"the way to Chroma refused this API's credential ({reason}); CORTEX_CHROMA_TOKEN_FILE must hold the one "
            "that the gateway's inner door knows"
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return ArgumentRefused("is more than the Chroma server takes at once; send fewer rows or shorter texts")
    if status == HTTPStatus.INSUFFICIENT_STORAGE:
        # The guard's word comes with a time to look again; without one it is a disk that was met full.
        if retry_after is None:
            return DiskFull(reason)
        return NotWritable(_reason(body), _seconds(retry_after, _DEFAULT_WRITABLE_RETRY_S))
    return None


def _seconds(header: str | None, default: int) -> int:
    text = (header or "").strip()
    return min(max(int(text), 1), _MAX_RETRY_S) if text.isdecimal() and len(text) < 10 else default


def _reason(body: str) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    text = said.get("detail") or said.get("message") if isinstance(said, dict) else body
    return " ".join(str(text or "no reason given").split())[:_MAX_REASON_CHARS]
