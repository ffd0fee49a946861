"""`cortex restore --collection`: one collection of a backup into the running stack, under another name."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from typing import IO

import httpx
from rich.console import Console

from infra.topologies.backup import BACKUP
from ops.backup import PROGRAM
from ops.stack import Stack, StackError

LIMIT_S = 3_600
_ENDED = {"done", "aborted"}


def restore(stack: Stack, to: str, collection: str, name: str, console: Console) -> None:
    """Bring it back; what the stack has now stays as it is.

    Args:
        stack: The stack.
        to: What to restore from.
        collection: Its name in the backup.
        name: Its new name, which no collection of the stack has.
        console: For the reader.

    Raises:
        StackError: There is no such collection, the name is taken, or not all of it could be written.
    """
    stack.output("container")
    archiver = stack.container(BACKUP)
    host = stack.host_of(archiver)
    command = ["docker", "exec", archiver, *PROGRAM, "export", "--to", to, "--collection", collection]
    with (
        host.environment() as environ,
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as exporting,
        httpx.Client(
            base_url=stack.output("url"),
            headers={"Authorization": f"Bearer {stack.token()}"},
            verify=ssl.create_default_context(cadata=stack.authority),
            timeout=LIMIT_S,
            trust_env=False,
        ) as client,
    ):
        assert exporting.stdout is not None  # noqa: S101 (it is a pipe)
        first = exporting.stdout.readline()
        if not first:
            raise StackError("nothing was restored", exporting.wait() or 1)
        found = json.loads(first)
        _make(client, name, found)
        console.print(f"writing {found['records']:,} records into {name}")
        written = _load(client, name, exporting.stdout)
        if exporting.wait() or written != found["records"]:
            raise StackError(f"{written:,} of {found['records']:,} records are in {name}; delete it, and try again", 1)
    console.print(f"{name} has all {written:,} records of {collection}")


def _make(client: httpx.Client, name: str, found: dict[str, object]) -> None:
    body = {key: found[key] for key in ("space", "embedding")} | {"name": name}
    if found["embedding"] == "own":
        body["dimensions"] = found["dimensions"]
    made = client.post("/v1/collections", json=body)
    if made.is_error:
        raise StackError(f"collection {name} cannot be made: {made.text}")


def _load(client: httpx.Client, name: str, lines: IO[str]) -> int:
    """Send the lines; how many were written."""

    def content() -> Iterator[bytes]:
        for line in lines:
            yield line.encode()

    headers = {"Content-Type": "application/x-ndjson"}
    with client.stream(
        "POST", f"/v1/collections/{name}/documents/stream", content=content(), headers=headers
    ) as answer:
        if answer.is_error:
            raise StackError(f"{name} cannot be written: {answer.read().decode()}")
        said = [json.loads(line) for line in answer.iter_lines() if line]
    last = said[-1] if said else {}
    if last.get("event") not in _ENDED:
        raise StackError(f"the load of {name} broke off: {last}")
    return int(last["upserted"])
