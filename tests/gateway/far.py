"""Two gateways as on two hosts: the one for callers, and the store door that it reaches Chroma by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.certificates import Authority, make_authority, sign_server
from infra.gateway.gateway import ClientServer, Far, Guard, Replicas, Server, StoreDoor
from tests.gateway.conftest import TOKENS
from tests.gateway.running import ADDRESS, Running

NAME = "store.of-a-test.internal"
SLOTS = 4


def an_authority() -> Authority:
    """A new one."""
    return make_authority("of a test", datetime.now(UTC))


def signed(authority: Authority, folder: Path, *names: str) -> Path:
    """A certificate with its key, as the program makes it for a store door."""
    made = folder / "door.pem"
    made.write_text(sign_server(authority, names or (NAME, ADDRESS), 30, datetime.now(UTC)).bundle)
    return made


def door_of(folder: Path, certificate: Path, chroma_port: int, guard_port: int, **changes: Any) -> Running:
    """A store door in front of these, not started."""
    topology = StoreDoor(Server(ADDRESS, chroma_port, slots=SLOTS), Guard(ADDRESS, guard_port))
    return Running(folder, topology, (), certificate, **changes)


def gateway_of(
    folder: Path, certificate: Path, door: Running, authority: str, api_port: int, **changes: Any
) -> Running:
    """A gateway whose Chroma is behind the door, not started."""
    port = door.gateway.doors.tls_port
    topology = ClientServer(
        Replicas(ADDRESS, api_port, slots=8, most=2),
        Server(ADDRESS, port, slots=SLOTS),
        Guard(ADDRESS, port),
        Far(NAME),
    )
    return Running(folder, topology, TOKENS, certificate, authority=authority, **changes)
