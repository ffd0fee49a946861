"""Create, fill and delete collections, then add and delete rows, for long: do memory and disk stay bounded?

Run: `make churn`. The API under the guard, in a control group with a memory limit, against stock Chroma without one.
The guard recycles the server at its memory ceiling; orphaned index folders, log and index are cleaned in maintenance
windows, which are made to come here. Writes docs/figures/churn.svg; exit code 1 if something grew without bound.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from tests.bench.churn_figure import draw
from tests.bench.maintenance_window import open_window
from tests.recovery.clients import Client, NotServed
from tests.recovery.guarded import Guarded
from tests.recovery.memory_group import MemoryGroup
from tests.recovery.rows import row_id, text_of, vectors_of
from tests.recovery.servers import Server, Stock, wait_until

COLLECTIONS, COLLECTION_ROWS = 1_200, 100
ROUNDS, ROUND_ROWS = 40, 1_000
DIMENSIONS = 384
MEMORY_LIMIT_BYTES = 2 << 30
RECYCLE_PERCENT = 40
"""Low, so that a run of minutes gets there more than once."""
WINDOWS = {"collections": 2, "rounds": 4}
"""Maintenance windows in each part."""
_READY_LIMIT_S = 180.0
_BATCH_ROWS = 500
FIGURE = Path(__file__).parents[2] / "docs/figures/churn.svg"


@dataclass(frozen=True)
class Sample:
    """The server at one moment."""

    at_s: float
    done: int
    """Collections or rounds so far."""
    rss_bytes: int
    """Of all its processes."""
    disk_bytes: int
    took_s: float
    """The last collection's life, or the last round's adding of rows."""


@dataclass
class Course:
    """What happened to one kind of server in one part."""

    samples: list[Sample] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    """By the guard, by reason."""
    errors: int = 0
    """Requests that were answered with an error or not at all, and sent again."""


class Churn:
    """One server under churn."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._since_s = time.monotonic()
        self._client: Client | None = None

    def collections(self, count: int) -> Course:
        """Create, fill, query and delete so many, one after the other."""
        course, vectors = Course(), vectors_of(list(range(COLLECTION_ROWS)), [1] * COLLECTION_ROWS, DIMENSIONS)
        ids = [row_id(row) for row in range(COLLECTION_ROWS)]
        for number in range(count):
            started, name = time.monotonic(), f"churn-{number}"
            self._until_done(course, lambda client, name=name: client.create(name, "l2", DIMENSIONS))
            self._until_done(course, lambda client, name=name: client.write(name, ids, vectors, ids))
            self._until_done(course, lambda client, name=name: client.nearest(name, vectors[0], 10))
            self._until_done(course, lambda client, name=name: client.drop(name))
            took_s = time.monotonic() - started
            if number % 10 == 9:
                course.samples.append(self._sample(number + 1, took_s))
            if self._window("collections", number + 1, count):
                course.samples.append(self._sample(number + 1, took_s))
        return course

    def rounds(self, count: int) -> Course:
        """Add rows and delete those of the round before, in one collection."""
        course, name = Course(), "rounds"
        self._until_done(course, lambda client: client.create(name, "l2", DIMENSIONS))
        for number in range(count):
            started = time.monotonic()
            for first in range(number * ROUND_ROWS, (number + 1) * ROUND_ROWS, _BATCH_ROWS):
                rows = list(range(first, first + _BATCH_ROWS))
                vectors = vectors_of(rows, [1] * len(rows), DIMENSIONS)
                ids, texts = [row_id(row) for row in rows], [text_of(row, 1) for row in rows]
                self._until_done(
                    course,
                    lambda client, ids=ids, vectors=vectors, texts=texts: client.write(name, ids, vectors, texts),
                )
            took_s = time.monotonic() - started
            old = [row_id(row) for row in range((number - 1) * ROUND_ROWS, number * ROUND_ROWS)]
            if number:
                self._until_done(course, lambda client, old=old: client.delete(name, old))
            course.samples.append(self._sample(number + 1, took_s))
            if self._window("rounds", number + 1, count):
                course.samples.append(self._sample(number + 1, took_s))
        return course

    def restarts(self) -> dict[str, int]:
        """What the guard remembers of a day."""
        notes = self.server.store / ".cortex/guard.json"
        if not notes.exists():
            return {}
        return dict(Counter(past["reason"] for past in json.loads(notes.read_text())["remembered"]["restarts"]))

    def close(self) -> None:
        """End the server."""
        if self._client is not None:
            self._client.close()
        self.server.stop()

    def _until_done(self, course: Course, ask: object) -> None:
        deadline = time.monotonic() + _READY_LIMIT_S
        while True:
            if self._client is None:
                self._client = self.server.connect()
            try:
                ask(self._client)  # type: ignore[operator]
            except NotServed:
                course.errors += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def _sample(self, done: int, took_s: float) -> Sample:
        rss = 0
        for pid in self.server.session():
            with contextlib.suppress(psutil.NoSuchProcess):
                rss += psutil.Process(pid).memory_info().rss
        return Sample(time.monotonic() - self._since_s, done, rss, disk_bytes(self.server.store), took_s)

    def _window(self, part: str, done: int, count: int) -> bool:
        """Let a maintenance window come after each of `WINDOWS` equal parts; whether it did."""
        if not isinstance(self.server, Guarded) or done % (count // WINDOWS[part]):
            return False
        self.server.stop()
        open_window(self.server)
        self.server.start()
        wait_until(self._maintained, "the planned restart in the maintenance window", _READY_LIMIT_S)
        self.server.wait_ready(_READY_LIMIT_S)
        return True

    def _maintained(self) -> bool:
        assert isinstance(self.server, Guarded)
        return any(
            action["action"] == "restart" and action["reason"].startswith("planned")
            for action in self.server.state().get("actions", [])
        )


def disk_bytes(store: Path) -> int:
    """Allocated blocks of all files."""
    total = 0
    for path in store.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total


def run(kind: type[Server], folder: Path, collections: int, rounds: int) -> dict[str, Course]:
    """Both parts with one server; the second begins with a fresh store."""
    courses = {}
    for part in ("collections", "rounds"):
        guarded = issubclass(kind, Guarded)
        group = MemoryGroup(MEMORY_LIMIT_BYTES) if guarded else None
        server = kind(
            folder / f"{kind.__name__}-{part}",
            {
                "CORTEX_DIMENSIONS": str(DIMENSIONS),
                "HEALTH_MEMORY_RECYCLE_PERCENT": str(RECYCLE_PERCENT),
                "HEALTH_CRASH_WINDOW_S": "600",
            },
        )
        if group is not None:
            server.confined = ["--group", str(group.path)]
        churn = Churn(server)
        server.start()
        try:
            server.wait_ready()
            courses[part] = churn.collections(collections) if part == "collections" else churn.rounds(rounds)
            courses[part].restarts = churn.restarts()
        finally:
            churn.close()
            server.remove()
            if group is not None:
                group.remove()
        tell(kind.__name__, part, courses[part])
    return courses


def tell(who: str, part: str, course: Course) -> None:
    """One line for people."""
    top, last = max(each.rss_bytes for each in course.samples), course.samples[-1]
    print(
        f"{who} {part}: rss at most {top / 1e6:.0f} MB, disk at the end {last.disk_bytes / 1e6:.1f} MB, "
        f"first and last took {course.samples[0].took_s:.2f} and {last.took_s:.2f} s, "
        f"restarts {course.restarts}, sent again {course.errors}",
        flush=True,
    )


def main() -> int:
    """Churn, draw, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collections", type=int, default=COLLECTIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--keep", type=Path, help="write the samples there, as JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="churn-") as folder:
        stock = run(Stock, Path(folder), chosen.collections, chosen.rounds)
        guarded = run(Guarded, Path(folder), chosen.collections, chosen.rounds)
    courses = {"guarded": guarded, "stock": stock}
    if chosen.keep:
        chosen.keep.write_text(
            json.dumps({who: {part: asdict(each) for part, each in parts.items()} for who, parts in courses.items()})
        )
    draw(courses, chosen.figure)
    print(f"figure: {os.path.relpath(chosen.figure)}")
    words = []
    for who, parts in courses.items():
        made, turned = parts["collections"].samples, parts["rounds"].samples
        words.append(
            f"{who} rss {max(each.rss_bytes for each in made) / 1e6:.0f} MB, disk after collections "
            f"{made[-1].disk_bytes / 1e6:.0f} MB and after rounds {turned[-1].disk_bytes / 1e6:.0f} MB, "
            f"last round {turned[-1].took_s / turned[0].took_s:.1f}x the first"
        )
    bounded = bounds(guarded, stock)
    print(f"churn: {' | '.join(words)} | {'bounded' if not bounded else '; '.join(bounded)}")
    return 1 if bounded else 0


def bounds(guarded: dict[str, Course], stock: dict[str, Course]) -> list[str]:
    """What grew although it must not; empty when nothing did."""
    problems = []
    made, turned = guarded["collections"].samples, guarded["rounds"].samples
    if max(each.rss_bytes for each in made + turned) > MEMORY_LIMIT_BYTES:
        problems.append("memory beyond its limit")
    for part, samples in (("collections", made), ("rounds", turned)):
        quarter = len(samples) // 4
        first, last = max(e.disk_bytes for e in samples[:quarter]), max(e.disk_bytes for e in samples[-quarter:])
        if last > 2 * first:
            problems.append(f"disk grows with {part}: {first / 1e6:.0f} → {last / 1e6:.0f} MB")
        if samples[-1].disk_bytes > stock[part].samples[-1].disk_bytes:
            problems.append(f"more disk than stock after {part}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
