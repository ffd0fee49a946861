"""`python -m store verify`: is the store sound?"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from store.commands.command import Command, add_common, print_result, progress_of
from store.verification import Depth, Finding, Verification, verify


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=False)
    add_depth(parser)
    add_evidence(parser)
    parser.add_argument("--bytes-per-s", type=int, metavar="N", help="read no faster than this, about")


def add_depth(parser: argparse.ArgumentParser) -> None:
    """How deep to look."""
    parser.add_argument(
        "--depth",
        choices=[str(depth) for depth in Depth],
        default=str(Depth.QUICK),
        help="quick: files, counts, a sample; index: every id and link; embeddings: every vector and record",
    )


def add_evidence(parser: argparse.ArgumentParser) -> None:
    """What the caller knows about the last runs of server and verification."""
    parser.add_argument(
        "--only-changed-since-ns",
        type=int,
        metavar="NS",
        help="look only quickly at indexes not written since (nanoseconds since the epoch)",
    )
    parser.add_argument(
        "--trust-log-since-ns",
        type=int,
        metavar="NS",
        help="start of a run that did not end cleanly: indexes written since are wrong where the log differs",
    )


def _run(chosen: argparse.Namespace) -> int:
    found = verify(
        chosen.path,
        Depth(chosen.depth),
        progress=progress_of(chosen),
        bytes_per_s=chosen.bytes_per_s,
        only_changed_since_ns=chosen.only_changed_since_ns,
        trust_log_since_ns=chosen.trust_log_since_ns,
    )
    print_result(chosen, {**asdict(found), "sound": found.is_sound}, _text(found))
    return 0 if found.is_sound else 1


def _text(found: Verification) -> str:
    looked = (
        f"{found.records:,} records in {found.collections} collections, {found.vectors_compared:,} vectors compared"
    )
    lines = [
        f"{found.path}: {'sound' if found.is_sound else 'NOT SOUND'} ({found.depth}, {looked}, {found.took_s:.1f} s)"
    ]
    lines += [describe(finding) for finding in found.findings]
    lines += [f"  not judged, saved all the time: {name}" for name in found.busy]
    return "\n".join(lines)


def describe(finding: Finding) -> str:
    """One line about a finding."""
    where = f"{finding.collection_name}: " if finding.collection_name else ""
    ids = f" (such as {', '.join(finding.ids)})" if finding.ids else ""
    return f"  {finding.kind} -> {finding.remedy}: {where}{finding.detail}{ids}"


COMMAND = Command(
    name="verify",
    summary="look for damage in indexes, log and records; the server may run",
    add_arguments=_add_arguments,
    run=_run,
)
