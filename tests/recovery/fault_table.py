"""docs/faults.md: the table of faults, written by `make faults` and read by its test."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path

from tests.recovery.fault_run import Outcome, run
from tests.recovery.faults import FAULTS, Fault
from tests.recovery.guarded import Guarded
from tests.recovery.scene import Template, make_template
from tests.recovery.servers import Server, Stock

PAGE = Path(__file__).parents[2] / "docs/faults.md"
AT_ONCE = 2
TIMING = "after_s"
_HEADS = {
    "name": "fault",
    "title": "what happens",
    "stock_says": "stock: its three endpoints",
    "stock_gives": "stock: what reading and writing give",
    "seen": "the guard sees it",
    "says": "and says",
    "did": "and does",
    "end": "so that it",
    "person": "a person must",
    "lost": "and reading and writing give in the end",
    TIMING: "after, s",
}
_TEXT = """\
# Faults

What happens when something goes wrong, to stock Chroma 1.5.9 (`chroma run`) and to the Cortex API under the guard.
Each row was made to happen on real processes with a small store: two collections, 3,500 rows, saved indexes and rows
that only the log holds. `make faults` makes all of them happen again and writes this page; a test of `make test` does
so with the guarded store and compares everything but the times.

- **stock: its three endpoints**: HTTP status of `heartbeat`, `healthcheck` and `pre-flight-checks` (one number: all
  three the same), before and after the data was read.
- **stock: what reading and writing give**: every row read and compared, then one written. Chroma as it comes tells
  its user nothing beyond that. For faults that somebody ends while the server runs, again after that and a restart.
- **the guard sees it**: `start`, before it serves; `running`, while it serves; `scrub`, when everything is read.
  **after** counts from the fault, or from the start after it. The scrub was made to come at once here; in production
  it comes every 24 hours (`HEALTH_SCRUB_INTERVAL_S`) and reads 20 MB/s (`HEALTH_SCRUB_BYTES_PER_S`), so what it alone
  sees is seen within a day and the time of one pass: 10 GB take 9 minutes. What has no second copy cannot be seen by
  comparing: the vector of a row that was written after the last save of its index, at most about 1,000 rows of a
  collection, is in the log alone.
- **so that it**: how it ended without a person; `serves` means with everything that is said on the left still
  standing.
- **a person must**: what it takes to be whole again. The messages of the guard say the same.

{table}

How the faults are made: files are damaged while the server is stopped. `disk-full-*` run on a file system in memory
of {disk} MB in a mount namespace of the server's own, `read-only` likewise. `memory-kill` runs in a control group of
{memory} MB in which another process takes the memory. `descriptors-exhausted` lowers the limit of the running server.
`clock-jump` shifts `time.time` in every process of the stack, since a machine's clock cannot be moved for one of
them. `*-permission` run without the capability of root to ignore permissions, as in the container.

Machine: {machine}.
"""


@contextmanager
def templates(*kinds: type[Server]) -> Iterator[tuple[dict[type[Server], Template], Path]]:
    """A store of each kind with the same rows, and a folder to work in."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        for kind in kinds:
            (folder / kind.__name__).mkdir()
        yield {kind: make_template(kind, folder / kind.__name__) for kind in kinds}, folder
    finally:
        shutil.rmtree(folder)


def run_all(faults: Sequence[Fault], told: Callable[[Outcome], None], *, stock: bool = True) -> list[Outcome]:
    """Two at a time, each `told` as it comes, to the guarded store and to a stock one; in the order of the faults."""
    kinds = (Guarded, Stock) if stock else (Guarded,)
    with templates(*kinds) as (made, folder), ThreadPoolExecutor(AT_ONCE) as pool:
        running = {
            pool.submit(run, fault, made[Guarded], made.get(Stock), folder / fault.name): fault
            for fault in sorted(faults, key=lambda fault: -fault.waits_s)
        }
        for each in as_completed(running):
            told(each.result())
        found = {fault.name: each.result() for each, fault in running.items()}
    return [found[fault.name] for fault in faults]


def as_table(outcomes: Iterable[Outcome]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(_HEADS.values()) + " |", "|" + "---|" * len(_HEADS)]
    lines += [
        "| " + " | ".join(str(each).replace("|", "/") for each in astuple(outcome)) + " |" for outcome in outcomes
    ]
    return "\n".join(lines)


def from_page(text: str) -> dict[str, dict[str, str]]:
    """The rows of a written page by the fault's name, without the times."""
    names = [each.name for each in fields(Outcome)]
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    found = [dict(zip(names, row, strict=True)) for row in rows[1:]]
    return {row["name"]: {key: value for key, value in row.items() if key != TIMING} for row in found}


def _tell(outcome: Outcome) -> None:
    lines = (f"{name}: {value}" for name, value in zip(_HEADS, astuple(outcome), strict=True))
    print(*lines, "", sep="\n", flush=True)


def machine() -> str:
    """Where it was measured."""
    where = f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    groups = "v1" if Path("/sys/fs/cgroup/memory").is_dir() else "v2"
    return (
        f"{os.cpu_count()} cores, {where}, control groups {groups}, user {'root' if not os.geteuid() else 'not root'}"
    )


def main() -> int:
    """Make faults happen, and write the page if all of them did."""
    from tests.recovery.faults import MEMORY_LIMIT_BYTES, SMALL_DISK_BYTES  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these, printed and not written")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no server outlives this one
    faults = [fault for fault in FAULTS if not chosen.names or fault.name in chosen.names]
    outcomes = run_all(faults, _tell)
    if not chosen.names:
        text = _TEXT.format(
            table=as_table(outcomes), machine=machine(), disk=SMALL_DISK_BYTES >> 20, memory=MEMORY_LIMIT_BYTES >> 20
        )
        PAGE.write_text(text)
        print(f"written: {os.path.relpath(PAGE)}")
    unseen = [outcome.name for outcome in outcomes if outcome.seen == "never"]
    print(
        f"faults: {len(outcomes)} made, {len(outcomes) - len(unseen)} seen"
        + (f", not: {', '.join(unseen)}" if unseen else "")
    )
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
