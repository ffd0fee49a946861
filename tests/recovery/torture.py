"""Kills servers that are written to, at random and in the middle of a save, and counts what is lost.

Run: `make torture` (KILLS=200 SEED=…), or `python -m tests.recovery.torture --kills 200`. The same load, kills and
checks go to the API under the guard and to stock Chroma, in turn; exit code 1 if the guarded store lost anything or
needed a person.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.recovery import aim
from tests.recovery.check import Found, check
from tests.recovery.clients import NotServed
from tests.recovery.guarded import Guarded
from tests.recovery.journal import Journal
from tests.recovery.servers import NotReady, Server, Stock, Victim
from tests.recovery.workload import Workload

KILLS = 200
STOCK_SHARE = 0.3
BATCH_ROWS = 250
FIRST_ROWS = 5_000
"""So that a save of the largest index takes long enough to be hit."""
READY_LIMIT_S = 600.0
_RANDOM_S = (0.05, 2.0)
_AIM_LIMIT_S = 25.0
_GRAPH_DELAY_US = 20_000
AIMS = {"random": "", "pickle": aim.PICKLE, "graph": aim.GRAPH}


@dataclass(frozen=True)
class Kill:
    """One kill."""

    number: int
    victim: Victim
    aim: str


@dataclass
class Tally:
    """What happened to one kind of server."""

    name: str
    kills: int = 0
    broken_kills: int = 0
    """Kills after which not everything was as acknowledged, or a person was needed."""
    stores: int = 0
    acknowledged_rows: int = 0
    rows_compared: int = 0
    found: Found = field(default_factory=Found)
    torn: int = 0
    """Kills that left an unfinished pickle on disk: proof that the aim is good."""
    repairs: int = 0
    """Starts at which the guard mended something."""
    missed: int = 0
    """Aimed kills that saw no save in time, and were done then at random."""
    ready_s: list[float] = field(default_factory=list)

    def as_words(self) -> str:
        """One part of the last line."""
        lost, wrong, extra = self.found.lost, self.found.wrong, self.found.extra
        return f"{self.name} kills={self.kills} broken={self.broken_kills} lost={lost} wrong={wrong} extra={extra}"

    def as_detail(self) -> str:
        """How hard it was hit, and how long it took to serve again."""
        late = sorted(self.ready_s) or [0.0]
        return (
            f"{self.name}: {self.acknowledged_rows:,} rows acknowledged, {self.rows_compared:,} compared, "
            f"{self.torn} kills left a torn pickle, {self.repairs} repairs, {self.missed} missed their aim, "
            f"{self.stores} stores; started again and checked after {late[len(late) // 2]:.1f} s (median), "
            f"{late[-1]:.1f} s (longest)"
        )


class Torture:
    """One kind of server, killed over and over. A store that is not right is kept aside, and a new one made."""

    def __init__(self, kind: type[Server], folder: Path, seed: str, first_rows: int = FIRST_ROWS) -> None:
        """Args: kind: of server. folder: for its stores. seed: of load and moments. first_rows: before the load."""
        self._first_rows = first_rows
        self.tally = Tally("guarded" if issubclass(kind, Guarded) else "stock")
        self._kind = kind
        self._folder = folder
        self._seed = seed
        self._server: Server | None = None
        self._journal: Journal | None = None

    def kill(self, kill: Kill) -> Found:
        """Load, kill, start again, check."""
        server, journal = self._running()
        workload = Workload(server.connect, journal, f"{self._seed}/{kill.number}", batch_rows=BATCH_ROWS)
        before, repaired = journal.acknowledged_rows, _repairs(server)
        try:
            workload.start(self._first_rows)
            pids = self._strike(server, kill)
        except NotServed as problem:  # stock, broken before without a sign
            found = Found(broken=1, notes=[str(problem)])
        else:
            workload.stop()
            started = time.monotonic()
            found = self._back(server, kill.victim, pids) or _checked(server, journal)
            self.tally.ready_s.append(time.monotonic() - started)
            self.tally.repairs += _repairs(server) - (repaired if kill.victim is Victim.SERVER else 0)
        tally = self.tally
        tally.kills += 1
        tally.acknowledged_rows += journal.acknowledged_rows - before
        tally.rows_compared += found.rows
        tally.found.add(found)
        if not found.is_clean:
            tally.broken_kills += 1
            self.end(keep=True)
        return found

    def end(self, *, keep: bool = False) -> None:
        """End the server; its folder stays if asked, and is removed else."""
        if self._server is not None and self._journal is not None:
            self._server.kill()
            self._journal.close()
            if not keep:
                shutil.rmtree(self._server.folder)
        self._server = self._journal = None

    def _running(self) -> tuple[Server, Journal]:
        if self._server is None or self._journal is None:
            self.tally.stores += 1
            self._server = self._kind(self._folder / f"{self.tally.name}-{self.tally.stores}")
            self._journal = Journal(self._server.folder / "journal.jsonl")
            self._server.start()
            self._server.wait_ready(READY_LIMIT_S)
        return self._server, self._journal

    def _strike(self, server: Server, kill: Kill) -> list[int]:
        source = random.Random(f"{self._seed}/strike/{kill.number}")  # noqa: S311 -- which moment, not a secret
        pids, files = server.victims(kill.victim), AIMS[kill.aim]
        delay_us = source.randrange(_GRAPH_DELAY_US) if files == aim.GRAPH else 0
        limit_s = _AIM_LIMIT_S if files else source.uniform(*_RANDOM_S)
        if not aim.fire(server.store, files, delay_us, limit_s, pids):
            self.tally.missed += bool(files)
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.tally.torn += any(is_torn(each) for each in server.store.glob(f"*/{aim.PICKLE}"))
        return pids

    @staticmethod
    def _back(server: Server, victim: Victim, killed: list[int]) -> Found | None:
        """Wait until it serves again, started as a platform would do it; what was found when it does not."""
        try:
            if victim is Victim.SERVER and isinstance(server, Guarded):
                server.wait_server_other_than(killed[0], READY_LIMIT_S)
            else:
                server.kill() if victim is Victim.ALL else server.await_end()
                server.start()
            server.wait_ready(READY_LIMIT_S)
        except NotReady as problem:
            return Found(broken=1, notes=[f"does not serve again: {problem}"])
        return None


def _checked(server: Server, journal: Journal) -> Found:
    client = server.connect()
    try:
        return check(client, journal)
    finally:
        client.close()


def _repairs(server: Server) -> int:
    """So many has this guard done since it was started."""
    actions = server.state().get("actions", []) if isinstance(server, Guarded) else []
    return sum(action["action"] == "repair" for action in actions)


def is_torn(pickle: Path) -> bool:
    """A pickle ends with a full stop; one that is being written does not yet."""
    try:
        return pickle.read_bytes()[-1:] != b"."
    except FileNotFoundError:
        return False


def kills(count: int, seed: str, victims: list[Victim], aims: list[str]) -> list[Kill]:
    """A plan: victims and aims in turn, shuffled, so that each comes equally often."""
    source = random.Random(seed)  # noqa: S311 -- a plan, not a secret
    plan = [(victim, each) for victim in victims for each in aims]
    plan *= -(-count // len(plan))
    source.shuffle(plan)
    return [Kill(number, *each) for number, each in enumerate(plan[:count])]


def main() -> int:
    """Torture, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="of the guarded store")
    parser.add_argument("--stock-kills", type=int, help=f"of stock Chroma; {STOCK_SHARE:.0%}% of --kills if not given")
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--folder", type=Path, help="for stores; those that broke stay there")
    chosen = parser.parse_args()
    stock_kills = round(chosen.kills * STOCK_SHARE) if chosen.stock_kills is None else chosen.stock_kills
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no server outlives this one
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="torture-"))
    print(f"seed {chosen.seed}; stores in {folder}", flush=True)
    guarded, stock = Torture(Guarded, folder, chosen.seed), Torture(Stock, folder, chosen.seed)
    plan = [(guarded, each) for each in kills(chosen.kills, chosen.seed, list(Victim), ["random", "pickle", "graph"])]
    plan += [(stock, each) for each in kills(stock_kills, chosen.seed, [Victim.ALL], ["random", "pickle", "graph"])]
    random.Random(chosen.seed).shuffle(plan)  # noqa: S311 -- in turn, so that what disturbs one disturbs both
    try:
        for torture, kill in plan:
            found = torture.kill(kill)
            state = "ok" if found.is_clean else "; ".join(note[:160] for note in found.notes[:3])
            print(f"{torture.tally.name:8} {torture.tally.kills:4} {kill.aim} {kill.victim}: {state}", flush=True)
    finally:
        guarded.end()
        stock.end()
    with contextlib.suppress(OSError):
        folder.rmdir()
    print(guarded.tally.as_detail(), stock.tally.as_detail(), sep="\n")
    print(f"torture: {guarded.tally.as_words()} | {stock.tally.as_words()}")
    return 1 if guarded.tally.broken_kills else 0


if __name__ == "__main__":
    sys.exit(main())
