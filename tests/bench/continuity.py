"""Changes, restarts and kills of a client-server stack under a constant load of reads and writes: who notices?

Run: `make bench-continuity`. Brings up a stack of its own and removes it again. Each line has what happened, how long
it took, the requests meanwhile, how many of them failed, and the longest one. The last line says how many failed;
exit code 1 if one did that must not, or if an acknowledged write was lost.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.bench.continuity_events import GAP, KILLS, PLANNED, Event, Scene
from tests.bench.mixed_load import CALLERS, Done, MixedLoad
from tests.deploy.conftest import SETTINGS
from tests.deploy.deployment import Deployment, free_ports
from tests.deploy.release import released
from tools.environment import environment

SETTLE_S = 3.0
"""Of load before and after each event."""
SHOWN = 5


@dataclass(frozen=True)
class Seen:
    """An event, and the requests that ran during it."""

    event: Event
    took_s: float
    requests: list[Done]

    @property
    def failed(self) -> list[Done]:
        """Those that got no good answer."""
        return [each for each in self.requests if each.wrong]

    @property
    def counted(self) -> list[Done]:
        """Those that failed and must not."""
        if self.event.spares == "nothing":
            return []
        return [each for each in self.failed if each.repeatable or self.event.spares == "everything"]

    @property
    def longest_s(self) -> float:
        """Of the answers, good or not."""
        return max((each.took_s for each in self.requests), default=0.0)

    @property
    def silence_s(self) -> float:
        """The longest time in which nobody got a good answer."""
        good = sorted(each.ended_s for each in self.requests if not each.wrong)
        return max((after - before for before, after in pairwise(good)), default=0.0)


def watch(scene: Scene, event: Event) -> Seen:
    """Make it happen, wait until everything is well again, and look at who noticed."""
    time.sleep(SETTLE_S)
    began_s = time.monotonic()
    event.happen(scene)
    took_s = time.monotonic() - began_s
    scene.stack.wait_healthy()
    time.sleep(SETTLE_S)
    return Seen(event, took_s, scene.load.between(began_s, time.monotonic()))


def told(seen: Seen) -> str:
    """A line of the table."""
    by_repeat = ""
    if seen.failed:
        once = sum(not each.repeatable for each in seen.failed)
        by_repeat = f" ({len(seen.failed) - once} repeatable, {once} not)"
    return (
        f"{seen.event.name:30} {seen.took_s:6.1f} s {len(seen.requests):6,} requests  {len(seen.failed):4} failed"
        f"{by_repeat}  longest {seen.longest_s:.2f} s"
    )


def run(scene: Scene, events: Sequence[Event]) -> list[Seen]:
    """All of them, in a row, under the load."""
    found = []
    scene.load.start()
    try:
        for event in events:
            seen = watch(scene, event)
            print(told(seen), flush=True)
            for each in seen.failed[:SHOWN]:
                print(f"    {each.kind} after {each.took_s:.2f} s: {each.wrong}", flush=True)
            found.append(seen)
    finally:
        scene.load.stop()
    return found


def last_line(found: Sequence[Seen], load: MixedLoad, lost: Sequence[str]) -> str:
    """What it comes to."""
    spared = [seen for seen in found if seen.event.spares != "nothing"]
    failed, requests = sum(len(seen.counted) for seen in spared), sum(len(seen.requests) for seen in spared)
    told_of = sum(len(seen.failed) - len(seen.counted) for seen in spared)
    gaps = [
        f"gap of {seen.silence_s:.1f} s with {len(seen.failed)} failed at a change of the gateway's image"
        for seen in found
        if seen.event.spares == "nothing"
    ]
    return (
        f"bench-continuity: {failed} of {requests:,} requests failed; {told_of} that may not be repeated were told of "
        f"a killed Chroma; {', '.join(gaps) or 'the gateway was not changed'}; {len(lost)} of {load.acknowledged():,} "
        f"acknowledged rows lost | {'holds' if not failed and not lost else 'DOES NOT HOLD'}"
    )


def make(folder: Path) -> Deployment:
    """A stack of its own, not yet up."""
    stack = Deployment(f"bench-{secrets.token_hex(4)}", folder, environment())
    tls, metrics = free_ports(2)
    corpus = {**SETTINGS["corpus"], "vectors": 20_000}
    health = {**SETTINGS["health"], "port": metrics}
    stack.set({**SETTINGS, "topology": "client-server", "corpus": corpus, "health": health, "access": {"port": tls}})
    return stack


def main() -> int:
    """Run all events, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = {event.name: event for event in (*PLANNED, *KILLS, GAP)}
    parser.add_argument("--only", action="append", choices=[*every], help="an event; all of them without this")
    parser.add_argument("--callers", type=int, default=CALLERS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-continuity-") as scratch:
        stack = make(Path(scratch) / "stack")
        try:
            with released(stack, Path(scratch) / "release", {}):
                stack.up()
                stack.wait_healthy()
                load = MixedLoad(
                    stack.output("url"), stack.trust(), stack.token("writer"), "under-load", chosen.callers
                )
                load.prepare(stack.token())
                events = [event for name, event in every.items() if name in (chosen.only or every)]
                found = run(Scene(stack, load, Path(scratch) / "release"), events)
                lost = load.lost()
        finally:
            stack.purge()
    for each in lost[:SHOWN]:
        print(f"lost: {each}")
    print(last_line(found, load, lost))
    return 1 if lost or any(seen.counted for seen in found) else 0


if __name__ == "__main__":
    sys.exit(main())
