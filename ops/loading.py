"""Records into a collection of the Cortex API: as lines, of any number."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx

from ops.stack import Stack, StackError

LIMIT_S = 3_600
_BUSY_STATUS = {429, 502, 503, 504}
_BUSY_SLUGS = {"stopping", "store-busy", "starting"}


class Busy(StackError):  # noqa: N818 (named after the state)
    """The stack has no room for the load now. Sending it again is safe: it is an upsert."""


def client(stack: Stack) -> httpx.Client:
    """A client of the stack's gateway, with an admin's token."""
    return httpx.Client(
        base_url=stack.output("url"),
        headers={"Authorization": f"Bearer {stack.token()}"},
        verify=ssl.create_default_context(cadata=stack.authority),
        timeout=LIMIT_S,
        trust_env=False,
    )


def make(api: httpx.Client, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Make a collection.

    Args:
        api: From `client`.
        name: Its name.
        wanted: `space`, `embedding`, with `own` also `dimensions`, and `metadata` where there is any.

    Raises:
        StackError: It cannot be made.
    """
    body = {key: wanted[key] for key in ("space", "embedding", "metadata") if wanted.get(key)} | {"name": name}
    if wanted["embedding"] == "own" and wanted.get("dimensions"):
        body["dimensions"] = wanted["dimensions"]
    made = api.post("/v1/collections", json=body)
    if made.is_error:
        raise StackError(f"collection {name} cannot be made: {made.text}")
    return dict(made.json())


def load(api: httpx.Client, name: str, lines: Iterable[str]) -> int:
    """Send records, one line of JSON each; how many were written.

    Raises:
        Busy: The stack has no room for it now.
        StackError: It cannot be written, or broke off.
    """

    def content() -> Iterator[bytes]:
        for line in lines:
            yield line.encode()

    headers = {"Content-Type": "application/x-ndjson"}
    with api.stream("POST", f"/v1/collections/{name}/documents/stream", content=content(), headers=headers) as answer:
        if answer.is_error:
            kind = Busy if answer.status_code in _BUSY_STATUS else StackError
            raise kind(f"{name} cannot be written: {answer.read().decode()}")
        said = [json.loads(line) for line in answer.iter_lines() if line]
    last = said[-1] if said else {}
    if last.get("event") != "done":
        kind = Busy if last.get("slug") in _BUSY_SLUGS else StackError
        raise kind(f"the load of {name} broke off: {last.get('detail') or last}; delete it, and try again")
    return int(last["upserted"])
