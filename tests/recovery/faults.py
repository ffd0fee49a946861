"""The faults: what is done to a store, when, and what a person does about it. Data; fault_run.py makes them happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.recovery import injuries, trouble
from tests.recovery.scene import Scene

Deed = Callable[[Scene], None]
MEMORY_LIMIT_BYTES = 400 << 20
SMALL_DISK_BYTES = 24 << 20
"""The store takes 2 to 6 MB of it."""


class When(StrEnum):
    """In which state the server is when it happens."""

    STOPPED = "stopped"
    RUNNING = "running"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    title: str
    """In words, for the table."""
    injure: Deed
    when: When = When.STOPPED
    person: str = ""
    """What somebody has to do, in words; empty when nobody has to."""
    heal: Deed | None = None
    """Does that."""
    before: Deed | None = None
    """Before the server starts."""
    confined: tuple[str, ...] = ()
    """Options of confine.py for the server; `{store}` is the store."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings of the guard."""
    memory_bytes: int | None = None
    """Limit of the control group in which the server runs."""
    awaits: str = ""
    """An action of the guard that comes only after some time, and is waited for."""
    waits_s: float = 0.0
    """About how long this fault waits for something; the longest begin first."""
    stock: bool = True
    """Whether stock Chroma can have it."""


def _files(damage: Callable[[Path], None]) -> Deed:
    """A fault that needs to know the store's files only."""
    return lambda scene: damage(scene.store)


def _nothing(scene: Scene) -> None:
    """The fault is in how the server is started."""


def _unconfined(scene: Scene) -> None:
    scene.server.confined = []


_SMALL = ("--small", str(SMALL_DISK_BYTES), "{store}")
_AGAIN = "write the record again from its origin, or restore a backup"
_ROOM = "make room on the disk"

FAULTS = (
    Fault("index-gone", "index folder gone", _files(injuries.remove_index)),
    Fault("pickle-gone", "pickle gone", _files(injuries.remove_pickle)),
    Fault("pickle-empty", "pickle empty", _files(injuries.empty_pickle)),
    Fault("pickle-truncated", "pickle truncated", _files(injuries.truncate_pickle)),
    Fault("data-cut", "data file cut", _files(injuries.cut_data)),
    Fault("links-cut", "link file cut", _files(injuries.cut_links)),
    Fault("header-garbage", "header garbled", _files(injuries.garble_header)),
    Fault("folders-swapped", "folders of two indexes swapped", _files(injuries.swap_indexes)),
    Fault(
        "index-byte",
        "a bit of a vector flipped in the index",
        _files(injuries.flip_index_byte),
        person=_AGAIN,
        heal=trouble.write_again,
    ),
    Fault(
        "log-byte",
        "a bit of a vector flipped in SQLite's log",
        _files(injuries.flip_log_byte),
        person=_AGAIN,
        heal=trouble.write_again,
    ),
    Fault(
        "document-byte",
        "a bit of a document flipped in SQLite",
        _files(injuries.flip_document_byte),
        person=_AGAIN,
        heal=trouble.write_again,
    ),
    Fault(
        "page-garbage", "head of a page of SQLite garbled", _files(injuries.garble_page), person="restore from a backup"
    ),
    Fault(
        "index-permission",
        "no permission on an index folder",
        _files(trouble.lose_index_permission),
        person="correct the mode",
        heal=trouble.restore_permissions,
        confined=("--obey",),
    ),
    Fault(
        "database-permission",
        "no permission to write SQLite's file",
        _files(trouble.lose_database_permission),
        person="correct the mode",
        heal=trouble.restore_permissions,
        confined=("--obey",),
    ),
    Fault(
        "read-only",
        "store mounted read-only",
        _nothing,
        person="mount it writable",
        heal=_unconfined,
        confined=("--read-only", "{store}"),
    ),
    Fault(
        "disk-full-sqlite",
        "disk full while SQLite writes",
        trouble.fill_for_sqlite,
        When.RUNNING,
        person=_ROOM,
        heal=trouble.make_room,
        confined=_SMALL,
    ),
    Fault(
        "disk-full-index",
        "disk full while an index is saved",
        trouble.fill_for_index,
        When.RUNNING,
        person=_ROOM,
        heal=trouble.make_room,
        confined=_SMALL,
    ),
    Fault(
        "memory-kill",
        "server killed for memory",
        trouble.kill_for_memory,
        When.RUNNING,
        memory_bytes=MEMORY_LIMIT_BYTES,
        awaits="restart",
    ),
    Fault(
        "descriptors-short",
        "fewer file descriptors allowed than needed",
        _nothing,
        person="raise the limit",
        heal=_unconfined,
        confined=("--files", "256"),
        environment={"HEALTH_OPEN_FILES": "512"},
    ),
    Fault(
        "descriptors-exhausted",
        "file descriptors exhausted while running",
        trouble.exhaust_descriptors,
        When.RUNNING,
        environment={"HEALTH_WEDGED_AFTER_S": "5"},
        awaits="restart",
        waits_s=20,
    ),
    Fault(
        "clock-jump",
        "clock a year ahead, then back",
        trouble.jump_clock,
        When.RUNNING,
        before=trouble.prepare_clock,
        stock=False,
    ),
    Fault("second-writer", "a second server on the store", trouble.start_second, When.RUNNING),
    Fault(
        "stock-writer",
        "`chroma run` has the store open when the guard starts",
        trouble.start_stock_first,
        person="stop it",
        heal=trouble.stop_others,
        waits_s=30,
        stock=False,
    ),
    Fault(
        "log-off",
        "log setting turned off while stopped",
        _files(injuries.switch_log_off),
        person="`python -m store prepare --switch-on-again`",
        heal=trouble.accept_log_again,
        stock=False,
    ),
    Fault(
        "log-off-running",
        "log setting turned off while running",
        _files(injuries.switch_log_off),
        When.RUNNING,
        person="stop, `python -m store prepare --switch-on-again`, start",
        heal=trouble.accept_log_again,
        environment={"HEALTH_CANARY_INTERVAL_S": "3", "CORTEX_CANARY_INTERVAL_S": "3"},
        stock=False,
    ),
)
