"""Makes one fault happen to the guarded store and to stock Chroma, and says what each of them made of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.recovery.faults import Fault, When
from tests.recovery.guarded import Guarded
from tests.recovery.memory_group import MemoryGroup, NoGroups
from tests.recovery.scene import SCRUB_INTERVAL_S, Scene, Template
from tests.recovery.servers import NotReady, Stock, wait_until
from tests.recovery.watch import Watch

SEE_LIMIT_S = 60.0
QUIET_LIMIT_S = 90.0
ENDPOINTS = ("heartbeat", "healthcheck", "pre-flight-checks")
_ENDPOINT_LIMIT_S = 5.0
_LAST_ROW = 900_000
NOT_MEASURED = "not measured: this user may not limit the memory of processes here"


@dataclass(frozen=True)
class Outcome:
    """A row of the table."""

    name: str
    title: str
    stock_says: str
    """Its three endpoints' status codes."""
    stock_gives: str
    """What reading all rows gives."""
    seen: str
    """When the guard noticed: at start, running, scrub, never."""
    says: str
    """What it said, in its order."""
    did: str
    end: str
    """How it ended without a person."""
    person: str
    lost: str
    """Of the acknowledged rows, in the end."""
    after_s: float
    """From the fault, or the start after it, to the guard's first word. The only column that differs between runs."""


def run(fault: Fault, guarded: Template, stock: Template | None, folder: Path) -> Outcome:
    """Both, one after the other; without a stock template only the guarded store. `folder` is made, and removed."""
    folder.mkdir()
    try:
        group = MemoryGroup(fault.memory_bytes) if fault.memory_bytes is not None else None
    except NoGroups:
        return not_measured(fault)
    confined = [*fault.confined, *(["--group", str(group.path)] if group is not None else [])]
    try:
        says = gives = "-"
        if stock is not None and fault.stock:
            says, gives = _stock(fault, Scene(stock, folder / "stock", confined))
        interval_s = SCRUB_INTERVAL_S if fault.when is When.STOPPED else 0
        environment = {"HEALTH_SCRUB_INTERVAL_S": str(interval_s), **fault.environment}
        return _guarded(fault, Scene(guarded, folder / "guarded", confined, environment), says, gives)
    finally:
        if group is not None:
            group.remove()
        folder.rmdir()


def not_measured(fault: Fault) -> Outcome:
    """The row of a fault that cannot happen here."""
    why = NOT_MEASURED
    return Outcome(fault.name, fault.title, why, why, why, why, why, why, why, why, 0.0)


def _stock(fault: Fault, scene: Scene) -> tuple[str, str]:
    assert isinstance(scene.server, Stock)
    try:
        if fault.before is not None:
            fault.before(scene)
        if fault.when is When.STOPPED:
            fault.injure(scene)
        scene.server.start()
        try:
            scene.server.wait_ready()
        except NotReady:
            return "does not start", "does not start"
        if fault.when is When.RUNNING:
            fault.injure(scene)
        before = _endpoints(scene.server.url)
        gives = _gives(scene)
        after = _endpoints(scene.server.url)
        if fault.when is When.RUNNING and fault.heal is not None:
            fault.heal(scene)
            scene.server.stop()
            scene.server.start()
            scene.server.wait_ready()
            gives += f"; after that and a restart: {_gives(scene)}"
        return (before if before == after else f"{before}, then {after}"), gives
    finally:
        scene.end()


def _endpoints(url: str) -> str:
    codes = []
    for endpoint in ENDPOINTS:
        try:
            codes.append(str(httpx.get(f"{url}/api/v2/{endpoint}", timeout=_ENDPOINT_LIMIT_S).status_code))
        except httpx.TimeoutException:
            codes.append("hangs")
        except httpx.HTTPError:
            codes.append("gone")
    return codes[0] if len(set(codes)) == 1 else " ".join(codes)


def _gives(scene: Scene) -> str:
    """All rows read, and then one written."""
    found = scene.check()
    parts = [f"{found.lost} lost", f"{found.wrong} wrong", f"{found.extra} extra"]
    reads = ", ".join(each for each in parts if not each.startswith("0")) or "everything"
    writes = scene.write(_LAST_ROW, 1)
    return ("reads fail" if found.broken else reads) + (", writes fail" if writes else "")


def _guarded(fault: Fault, scene: Scene, stock_says: str, stock_gives: str) -> Outcome:
    server = scene.server
    assert isinstance(server, Guarded)
    try:
        if fault.before is not None:
            fault.before(scene)
        if fault.when is When.STOPPED:
            fault.injure(scene)
            watch = Watch(server, time.monotonic())
            server.start()
        else:
            server.start()
            server.wait_ready()
            watch = Watch(server, time.monotonic())
            fault.injure(scene)
        for words in scene.said:
            watch.heard(words)
        watch.until_seen(SEE_LIMIT_S, fault.awaits)
        quiet = watch.until_quiet(QUIET_LIMIT_S)
        seen, end = watch.seen, _end(watch, quiet=quiet)
        if fault.heal is not None:
            fault.heal(scene)
            if server.exit_code() is not None:
                server.start()
            server.wait_ready()
            after = Watch(server, time.monotonic())
            wait_until(
                lambda: server.state()["writable"]["ok"], "the guard to open the store for writes", QUIET_LIMIT_S
            )
            after.until_quiet(QUIET_LIMIT_S)
            seen.done += [f"then {words}" for words in after.seen.done]
        return Outcome(
            name=fault.name,
            title=fault.title,
            stock_says=stock_says,
            stock_gives=stock_gives,
            seen=seen.where,
            says=", ".join(seen.words),
            did=", ".join(seen.done) or "-",
            end=end,
            person=fault.person or "-",
            lost=_gives(scene) if server.exit_code() is None else "until restored",
            after_s=round(seen.first_s or 0.0, 1),
        )
    finally:
        scene.end()


def _end(watch: Watch, *, quiet: bool) -> str:
    if watch.seen.exit_code is not None:
        return f"refuses to serve ({watch.seen.exit_code})"
    if watch.seen.closed:
        return "keeps the store closed"
    return "serves" if quiet else "does not come to rest"
