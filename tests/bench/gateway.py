"""What the gateway costs: native queries and inserts through it, over TLS with a token, against Chroma itself.

Run: `make bench-gateway`. Bare processes on this machine: one Chroma, a gateway for each number of slots, and the same
callers for all of them in turn. The last line has the ratios and whether the targets hold; exit code 1 if one does not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import numpy as np

from infra.gateway.gateway import ClientServer, Guard, Replicas, Server
from infra.gateway.limits import Allowance
from infra.gateway.tokens import GatewayToken, hashed
from infra.images import ROOT
from infra.settings import Gateway as GatewaySettings
from infra.vocabulary import Role
from tests.bench.gateway_callers import Door, ask
from tests.gateway.chroma import Chroma
from tests.gateway.conftest import make_certificate
from tests.gateway.running import ADDRESS, Running
from tests.gateway.waits import free_port

COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
DIMENSIONS, ROWS, LOADED_ROWS, INSERTED_ROWS, RESULTS = 384, 10_000, 500, 10, 10
TEXT = "A text of about two hundred characters, as most records have one. " * 3
CALLERS = (1, 4, 16, 64)
BLOCKS, SECONDS = 6, 1.5
P50_TARGET, P99_TARGET = 1.1, 1.0
P99_FROM = 16
"""Callers from which a queue in front of Chroma must be better than the crowd in it."""
DIRECT = "direct"


@dataclass
class Block:
    """One variant's turns with a number of callers.

    Attributes:
        p50_s: Of each turn.
        took_s: Of all turns.
        failed: Of all turns.
    """

    p50_s: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def p99_s(self) -> float:
        """Of all turns together."""
        return float(np.percentile(self.took_s, 99))


@dataclass(frozen=True)
class Ratio:
    """A gateway's times as shares of the direct ones."""

    kind: str
    callers: int
    gateway: str
    p50: float
    p99: float
    failed: int

    @property
    def holds(self) -> bool:
        """Whether its targets do."""
        quick = self.callers > 1 or self.p50 <= P50_TARGET
        fair = self.callers < P99_FROM or self.p99 < P99_TARGET
        return quick and fair and not self.failed


class Work:
    """Requests of one kind."""

    def __init__(self, kind: str, url: str) -> None:
        """Make a collection with rows in it. Args: kind: query or insert. url: of Chroma itself."""
        self.kind = kind
        self._source = np.random.default_rng(1)
        with httpx.Client(base_url=url, timeout=60) as client:
            made = client.post(COLLECTIONS, json={"name": f"for-{kind}"}).raise_for_status().json()
            self._path = f"{COLLECTIONS}/{made['id']}"
            for first in range(0, ROWS, LOADED_ROWS):
                client.post(f"{self._path}/upsert", content=self._rows(f"loaded-{first}", LOADED_ROWS))
            client.post(f"{self._path}/query", content=self._query()).raise_for_status()
        self.path = f"{self._path}/{'query' if kind == 'query' else 'add'}"
        # Made before: what making them takes belongs to nobody.
        self._queries = [self._query() for _ in range(200)]
        inserted = json.loads(self._rows("", INSERTED_ROWS))
        self._rest = json.dumps({key: value for key, value in inserted.items() if key != "ids"})[1:]

    def body(self, turn: str, caller: int, number: int) -> bytes:
        """The body of a request; no row is inserted twice."""
        if self.kind == "query":
            return self._queries[(caller * 31 + number) % len(self._queries)]
        ids = json.dumps([f"{turn}-{caller}-{number}-{row}" for row in range(INSERTED_ROWS)])
        return f'{{"ids": {ids}, {self._rest}'.encode()

    def _rows(self, name: str, count: int) -> bytes:
        rows = {
            "ids": [f"{name}-{row}" for row in range(count)],
            "embeddings": self._source.normal(size=(count, DIMENSIONS)).round(6).tolist(),
            "documents": [TEXT] * count,
            "metadatas": [{"row": row} for row in range(count)],
        }
        return json.dumps(rows).encode()

    def _query(self) -> bytes:
        vector = self._source.normal(size=DIMENSIONS).round(6).tolist()
        # What Chroma's clients ask for when they are not told.
        include = ["metadatas", "documents", "distances"]
        return json.dumps({"query_embeddings": [vector], "n_results": RESULTS, "include": include}).encode()


def measure(work: Work, doors: Sequence[Door], callers: int, blocks: int, seconds: float) -> list[Ratio]:
    """All doors in turn, in another order in each block; disturbances hit all of them alike."""
    found = {door.name: Block() for door in doors}
    order = random.Random(1)  # noqa: S311 -- an order
    for turn in range(blocks):
        for door in order.sample(doors, len(doors)):
            name = f"{door.name}-{callers}-{turn}".replace(" ", "-")
            asked = ask(door, callers, seconds, work.path, lambda who, number, name=name: work.body(name, who, number))
            block = found[door.name]
            block.failed += asked.failed
            block.took_s += asked.took_s
            block.p50_s.append(statistics.median(asked.took_s))
    for name, block in found.items():
        times = f"p50 {1e3 * statistics.median(block.took_s):8.2f} ms  p99 {1e3 * block.p99_s:8.2f} ms"
        failed = f"{len(block.failed)} failed{f', first: {block.failed[0]}' if block.failed else ''}"
        print(
            f"{work.kind:6} {callers:2} callers  {name:9} {len(block.took_s):6,} answers  {times}  {failed}",
            flush=True,
        )
    direct = found.pop(DIRECT)
    return [
        Ratio(
            work.kind,
            callers,
            name,
            statistics.median(mine / own for mine, own in zip(block.p50_s, direct.p50_s, strict=True)),
            block.p99_s / direct.p99_s,
            len(block.failed),
        )
        for name, block in found.items()
    ]


@contextmanager
def doors(folder: Path, slots: Sequence[int]) -> Iterator[tuple[str, list[Door]]]:
    """Chroma's own URL; its door, and that of a gateway for each number of slots."""
    os.environ |= _allocator()
    chroma = Chroma(folder / "chroma")
    (folder / "certificate").mkdir()
    certificate = make_certificate(folder / "certificate")
    # Nobody is slowed down here for asking often.
    allowance = replace(Allowance(), requests_per_s_per_address=1_000_000, requests_per_s_per_token=1_000_000)
    gateways: list[Running] = []
    try:
        chroma.start()
        for count in slots:
            topology = ClientServer(
                Replicas(ADDRESS, free_port(), slots=4, most=2),
                Server(ADDRESS, chroma.port, slots=count),
                Guard(ADDRESS, free_port()),
            )
            token = GatewayToken("caller", Role.WRITE, hashed("token"))
            made = Running(folder / f"gateway-{count}", topology, [token], certificate, allowance=allowance)
            gateways.append(made)
            made.start()
        through = [
            Door(f"{count} slots", made.gateway.doors.tls_port, made.trusting(), "token")
            for count, made in zip(slots, gateways, strict=True)
        ]
        yield chroma.url, [Door(DIRECT, chroma.port), *through]
    finally:
        for made in gateways:
            made.stop()
        chroma.stop()


def _allocator() -> dict[str, str]:
    """How the gateway's image has memory handled."""
    text = (ROOT / "images/gateway/Dockerfile").read_text()
    return dict(re.findall(r"(MALLOC_\w+)=(\d+)", text))


def main() -> int:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = GatewaySettings().slots
    parser.add_argument("--slots", type=int, nargs="+", default=[default], help="numbers of slots to compare")
    parser.add_argument("--callers", type=int, nargs="+", default=[*CALLERS])
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as scratch, doors(Path(scratch), chosen.slots) as made:
        url, through = made
        found = [
            ratio
            for kind in ("query", "insert")
            for work in [Work(kind, url)]
            for callers in chosen.callers
            for ratio in measure(work, through, callers, chosen.blocks, chosen.seconds)
        ]
    version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, HAProxy {version}, {ROWS:,} x {DIMENSIONS}")
    words = "; ".join(
        f"{each.kind} {each.callers}{f' ({each.gateway})' if len(chosen.slots) > 1 else ''} "
        f"p50 {each.p50:.2f}x p99 {each.p99:.2f}x"
        for each in found
    )
    failed, holds = sum(each.failed for each in found), all(each.holds for each in found)
    print(
        f"bench-gateway: {words}; {failed} failed (targets: p50 {P50_TARGET}x at 1, p99 below {P99_TARGET:g}x from "
        f"{P99_FROM} on, none failed) | {'targets hold' if holds else 'TARGETS MISSED'}"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
