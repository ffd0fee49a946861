"""The arithmetic as a table, the same in every preview and in `make size`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from infra.sizing import coefficients as c
from infra.sizing.backups import BackupSizing
from infra.sizing.replica import ReplicaSizing
from infra.sizing.sizing import Sizing, Term
from infra.sizing.stack import StackSizing


def table(sizing: Sizing, *, memory_limit_bytes: int | None = None, disk_bytes: int | None = None) -> str:
    """Show how the needs came about.

    Args:
        sizing: The computed needs.
        memory_limit_bytes: Limit set by hand, if any.
        disk_bytes: Volume size set by hand, if any.

    Returns:
        Plain text, a line per term; decimal megabytes, limits in MiB and GiB.
    """
    lines = [
        f"Sizing for {sizing.corpus.vectors:,} vectors x {sizing.corpus.dimensions:,} dimensions"
        f" in {sizing.corpus.collections:,} collections ({sizing.process.name})",
        *_block(
            "memory",
            sizing.memory_terms,
            [
                _line("predicted peak", sizing.memory_peak_bytes, ""),
                _line(
                    f"limit (+{sizing.headroom_percent} %)",
                    sizing.memory_limit_bytes,
                    f"= {_mib(sizing.memory_limit_bytes)}",
                ),
                *_by_hand(memory_limit_bytes, _mib),
                _line("rule of thumb", sizing.rule_memory_bytes, "0.245 M vectors a GB, raw vectors only: not used"),
            ],
        ),
        *_block(
            "disk",
            sizing.disk_terms,
            [
                _line(f"volume (full at {sizing.disk_percent} %)", sizing.disk_bytes, f"= {_gib(sizing.disk_bytes)}"),
                *_by_hand(disk_bytes, _gib),
            ],
        ),
        f"  open files       {sizing.open_files:>12,}",
        f"  start-up         {sizing.startup_s:>12,} s  (index rebuilt from the log)",
        f"  stop grace       {sizing.stop_grace_s:>12,} s",
    ]
    return "\n".join(lines)


def stack_table(sizing: StackSizing, *, memory_limit_bytes: int | None = None, disk_bytes: int | None = None) -> str:
    """Show the needs of every part of a stack; arguments as of `table`."""
    lines = [table(sizing.store, memory_limit_bytes=memory_limit_bytes, disk_bytes=disk_bytes)]
    if sizing.backups is not None:
        lines += _backups(sizing.backups)
    if sizing.replica is not None:
        lines += _replica(sizing.replica, sizing.replicas)
    lines.append(_line("gateway", sizing.gateway_memory_bytes, f"= {_mib(sizing.gateway_memory_bytes)}").lstrip())
    if sizing.door_memory_bytes:
        lines.append(_line("door", sizing.door_memory_bytes, f"= {_mib(sizing.door_memory_bytes)}").lstrip())
    for name, amount_bytes in (("archiver", sizing.archiver_memory_bytes), ("drill", sizing.drill_memory_bytes)):
        if amount_bytes:
            lines.append(_line(name, amount_bytes, f"= {_mib(amount_bytes)}").lstrip())
    store_bytes = memory_limit_bytes or sizing.store.memory_limit_bytes
    total_bytes = store_bytes + sizing.beside_bytes + sizing.door_memory_bytes + sizing.backup_bytes
    lines.append(_line("stack, all limits", total_bytes, f"= {_mib(total_bytes)}").lstrip())
    return "\n".join(lines)


def _replica(need: ReplicaSizing, replicas: int) -> list[str]:
    total_bytes = replicas * need.memory_limit_bytes
    return [
        f"{need.process.name} (each of {replicas})",
        *_block(
            "memory",
            need.memory_terms,
            [
                _line("predicted peak", need.memory_peak_bytes, ""),
                _line(
                    f"limit (+{need.headroom_percent} %)",
                    need.memory_limit_bytes,
                    f"= {_mib(need.memory_limit_bytes)}, {_mib(total_bytes)} for all",
                ),
            ],
        ),
    ]


def _backups(need: BackupSizing) -> list[str]:
    where = "" if need.target_here else ", at the target"
    at_target = tuple(replace(term, arithmetic=term.arithmetic + where) for term in (*need.target_terms, need.copies))
    here_bytes, later_bytes = need.here_bytes, need.here_bytes + need.later_bytes
    later = f", {later_bytes / c.GIB:,.1f} GiB when the archive's days are full" if need.later_bytes else ""
    terms = (*at_target, *need.lasting_terms, *need.passing_terms)
    return [
        "backups (beside the store's volume)",
        *_block(
            "disk",
            terms,
            [
                _line("within the store's", -need.shared_bytes, "room to compact: compaction looks for room first"),
                _line("on the store's host", here_bytes, f"= {here_bytes / c.GIB:,.1f} GiB{later}"),
            ],
        ),
    ]


def _block(title: str, terms: tuple[Term, ...], totals: list[str]) -> list[str]:
    return [f"  {title}", *(_line(term.name, term.amount_bytes, term.arithmetic) for term in terms), *totals]


def _line(name: str, amount_bytes: int, note: str) -> str:
    return f"    {name:<22} {amount_bytes / c.MB:>12,.1f} MB  {note}".rstrip()


def _by_hand(amount_bytes: int | None, unit: Callable[[int], str]) -> list[str]:
    return [] if amount_bytes is None else [_line("set by hand", amount_bytes, f"= {unit(amount_bytes)}")]


def _mib(amount_bytes: int) -> str:
    return f"{amount_bytes // c.MIB:,} MiB"


def _gib(amount_bytes: int) -> str:
    return f"{amount_bytes / c.GIB:,.0f} GiB"
