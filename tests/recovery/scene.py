"""A small store with known rows, and one server over a copy of it: where a fault is made to happen."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.recovery import injuries
from tests.recovery.check import Found, check
from tests.recovery.clients import Client, NotServed
from tests.recovery.guarded import Guarded
from tests.recovery.journal import Journal, Kind, Operation
from tests.recovery.servers import Server, Stock
from tests.recovery.workload import send

_BATCH_ROWS = 500
_TIMEOUT_S = 10.0
SCRUB_INTERVAL_S = 3_600
_ROWS = {injuries.BIG: range(2_300), injuries.SMALL: range(5_000, 6_200)}
"""More than Chroma's 1,000 of a save in both; the big one also has rows that only the log holds."""


@dataclass(frozen=True)
class Template:
    """A stopped store, and what must be in it."""

    kind: type[Server]
    store: Path
    journal: Journal


def make_template(kind: type[Server], folder: Path) -> Template:
    """Write the rows with a server of that kind, and stop it."""
    server, journal = kind(folder / "template"), None
    journal = Journal(folder / "template.jsonl")
    server.start()
    try:
        server.wait_ready()
        client = server.connect()
        for name, rows in _ROWS.items():
            operations = [Operation("maker", Kind.CREATE, name)]
            for start in range(rows.start, rows.stop, _BATCH_ROWS):
                some = tuple(range(start, min(start + _BATCH_ROWS, rows.stop)))
                operations.append(Operation("maker", Kind.UPSERT, name, some, injuries.VERSION))
            for operation in operations:
                journal.begin(operation)
                send(client, operation, "l2")
                journal.acknowledge(operation)
        client.close()
    finally:
        server.stop()
        journal.close()
    _checkpoint(server.store)
    _let_scrub_be_due(server.store / ".cortex/guard.json")
    for name in _ROWS:
        if not (injuries.index(server.store, name) / injuries.PICKLE).stat().st_size:
            raise LookupError(f"{name} has no saved index")
    return Template(kind, server.store, journal)


def _checkpoint(store: Path) -> None:
    """Bring everything from SQLite's journal into its file, where faults look for it."""
    connection = sqlite3.connect(injuries.database(store))
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()


def _let_scrub_be_due(notes: Path) -> None:
    """A store gets its first scrub an hour after a guard first saw it: let that be an hour ago."""
    if notes.exists():
        known = json.loads(notes.read_text())
        known["remembered"]["first_seen_wall_s"] -= SCRUB_INTERVAL_S
        notes.write_text(json.dumps(known))


class Scene:
    """A server, not yet started, over a fresh copy of a template."""

    def __init__(
        self,
        template: Template,
        folder: Path,
        confined: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Args: folder: to be made. confined: options of confine.py; `{store}` stands for the store."""
        shutil.copytree(template.store, folder / "store")
        self.server = template.kind(folder, environment if issubclass(template.kind, Guarded) else None)
        self.server.confined = [each.replace("{store}", str(self.server.store)) for each in confined]
        self.store = self.server.store
        self.journal = Journal(folder / "journal.jsonl")
        self.journal.expect_all_of(template.journal)
        self.others: list[Server] = []
        """Further servers that a fault starts."""
        self.connections: list[socket.socket] = []
        """Held open until the end."""
        self.said: list[str] = []
        """What other guards than this scene's said."""
        self._client: Client | None = None

    @property
    def is_stock(self) -> bool:
        """Whether this is Chroma as it comes."""
        return isinstance(self.server, Stock)

    @property
    def client(self) -> Client:
        """A connection to the server."""
        if self._client is None:
            self._client = self.server.connect(_TIMEOUT_S)
        return self._client

    def write(self, first: int, count: int, *, collection: str = injuries.BIG, times: int = 1) -> str:
        """Upsert new rows, in so many requests; why the first that failed did, or nothing."""
        for each in range(times):
            start = first + each * count
            operation = Operation(
                f"scene-{start}", Kind.UPSERT, collection, tuple(range(start, start + count)), injuries.VERSION
            )
            self.journal.begin(operation)
            try:
                send(self.client, operation, "l2")
            except NotServed as problem:
                self.journal.unanswered_again(operation, str(problem))
                return str(problem)
            self.journal.acknowledge(operation)
        return ""

    def create(self, name: str) -> str:
        """Make a collection with one row; why that failed, or nothing."""
        operations = [Operation(name, Kind.CREATE, name), Operation(name, Kind.UPSERT, name, (1,), injuries.VERSION)]
        for operation in operations:
            self.journal.begin(operation)
            try:
                send(self.client, operation, "l2")
            except NotServed as problem:
                self.journal.unanswered_again(operation, str(problem))
                return str(problem)
            self.journal.acknowledge(operation)
        return ""

    def check(self) -> Found:
        """What the server gives back, against what it acknowledged."""
        return check(self.client, self.journal)

    def end(self) -> None:
        """End every process, and remove the folder."""
        for connection in self.connections:
            connection.close()
        for other in self.others:
            other.kill()
        if self._client is not None:
            self._client.close()
        self.journal.close()
        if self.server.process is not None:
            self.server.kill()
        for each in self.server.folder.rglob("*"):
            if each.is_dir() and not each.is_symlink():
                each.chmod(0o700)
        shutil.rmtree(self.server.folder)
