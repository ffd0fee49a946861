"""Bases: consistent copies of the whole store, saved in the repository, each with its manifest."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from healthcheck.processes import LOW_PRIORITY
from store.database import FILE_NAME
from store.progress import Progress, silent

import store
from backup import half_written, lineage, notes, records
from backup.config import Config
from backup.errors import Damaged, NoRepository, ToolFailed
from backup.manifest import Manifest, collections_of, files_of, from_record, schema_version
from backup.mending import mend
from backup.private import write_private
from backup.repository import Repository, Saved
from backup.retention import Aged, leaving
from backup.target import Target
from backup.turn import turn

STORE, MANIFEST, STATE = "store", "manifest.json", "state.json"
"""What a base has: the store's copy, its manifest, the stack's exported state."""
_WORK, _CACHE = "base", "restic-cache"
_BUSY_LIMIT_S = 600.0
"""How long a copy waits for a repair, a compaction or a restart of the server."""
_Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Base:
    """One at the target."""

    id: str
    taken_s: float
    manifest: Manifest | None
    """None when it cannot be read."""
    mended: bool = False
    """Its record was damaged, and was written again from the base itself."""

    @property
    def aged(self) -> Aged:
        """What decides whether it stays."""
        manifest = self.manifest
        verified = manifest is not None and manifest.verified_s is not None
        pinned = manifest is not None and bool(manifest.pinned)
        return Aged(self.id, self.taken_s, verified, pinned, manifest is not None and manifest.lacking)


def repository(target: Target, scratch: Path) -> Repository:
    """The repository of a target's bases."""
    return Repository(target, scratch / _CACHE)


def take(
    config: Config,
    target: Target,
    scratch: Path,
    *,
    wait_s: float = 0.0,
    progress: Progress = silent,
    warn: _Warn = lambda _text: None,
) -> Manifest:
    """Make a base now. The server goes on writing.

    Killed at any moment it leaves nothing that the next one does not remove.

    Args:
        config: the configuration.
        target: as opened from it.
        scratch: a folder with room for the store's copy.
        wait_s: how long to wait for another backup, check or removal.
        progress: told of what is being done.
        warn: told of what somebody should look at, although the base is made.

    Raises:
        BackupError, StoreError: there is no new base.
    """
    with turn(config.store, "a base", wait_s):
        target.check()
        at = repository(target, scratch)
        with _work_folder(scratch) as work:
            _mend(config, at, target, work, warn)
            manifest = _copied(config, work, progress)
            write_private(work / MANIFEST, json.dumps(manifest.as_record(), indent=1) + "\n")
            write_private(work / STATE, config.state)
            progress("saving the copy at the target", 0, manifest.bytes)
            started_s = time.monotonic()
            saved = _saved(config, at, target, work, warn)
            progress("saving the copy at the target", manifest.bytes, manifest.bytes)
        manifest = dataclasses.replace(
            manifest, id=saved.id, save_s=time.monotonic() - started_s, added_bytes=saved.added_bytes
        )
        records.write(target, records.BASES, manifest.id, manifest.as_record())
        return manifest


def find_all(target: Target, at: Repository, *, mend: bool = False) -> tuple[Base, ...]:
    """All bases, oldest first. Writes nothing unless `mend`.

    Args:
        target: where they are.
        at: their repository.
        mend: write the manifest again of a base whose maker was killed before it could, and remove what was killed
            earlier. Only for who has its turn.

    Raises:
        BackupError: they cannot be listed.
    """
    try:
        snapshots = at.snapshots()
    except NoRepository:
        return ()
    written = records.read_all(target, records.BASES)
    there = {Path(entry.path).stem for entry in target.entries(records.BASES)} if mend else set()
    if mend:
        half_written.clear(target, there)
    found = []
    for snapshot in snapshots:
        record = written.get(snapshot.id)
        manifest, mended = None, False
        with contextlib.suppress(ValueError, Damaged):
            manifest = from_record(record) if record is not None else _manifest_within(at, snapshot.id)
            if record is None and mend:
                records.write(target, records.BASES, snapshot.id, manifest.as_record())
                mended = snapshot.id in there
        taken_s = manifest.taken_s if manifest is not None else _seconds(snapshot.taken)
        found.append(Base(snapshot.id, taken_s, manifest, mended))
    return tuple(sorted(found, key=lambda base: base.taken_s))


def retain(config: Config, target: Target, scratch: Path, *, wait_s: float = 0.0) -> tuple[str, ...]:
    """Remove the bases that the settings do not keep; their ids. Their data goes with the next check that passes.

    Raises:
        BackupError: none, or not all of them are removed.
    """
    with turn(config.store, "a removal of old bases", wait_s):
        target.check()
        at = repository(target, scratch)
        bases = find_all(target, at, mend=True)
        if not bases:  # all of them were lost: what is known of them tells the check so
            return ()
        going = leaving((base.aged for base in bases), config.keep)
        if going:
            at.forget(going)
        known = {base.id for base in bases} - set(going)
        for name in records.read_all(target, records.BASES):
            if name not in known:
                records.remove(target, records.BASES, name)
        return going


def mark(target: Target, base: str, **changes: object) -> None:
    """Change a base's manifest: that a drill verified it, that it is pinned.

    Raises:
        Damaged: its manifest is not there, or cannot be read.
    """
    record = records.read(target, records.BASES, base)
    if record is None:
        raise Damaged(f"the manifest of base {base} at {target.words} cannot be read.")
    records.write(target, records.BASES, base, {**record, **changes})


def lower_priority() -> None:
    """Give processor and disk to others first, from now on. A copy is made before: it must be short."""
    with contextlib.suppress(psutil.Error, OSError):
        myself = psutil.Process()
        myself.nice(LOW_PRIORITY)
        myself.ionice(psutil.IOPRIO_CLASS_IDLE)


def _mend(config: Config, at: Repository, target: Target, work: Path, warn: _Warn) -> None:
    """If nothing was saved since damage was found."""
    check, newest = notes.last_check(config.store, target.words), notes.newest_base(config.store, target.words)
    if check is not None and check.damaged and (newest is None or newest.taken_s <= check.ended_s):
        mend(at, target, check.packs, work, warn)


def _copied(config: Config, work: Path, progress: Progress) -> Manifest:
    taken_s = time.time()
    at_archive = lineage.position(config.store, config.archive.staging_path)
    with store.ActivityLock(config.store, "a base copy", wait_s=_BUSY_LIMIT_S):
        done = store.copy(config.store, work / STORE, progress=progress)
    lower_priority()
    started_s = time.monotonic()
    progress("hashing the copy", 0, 0)
    collections = collections_of(work / STORE)
    for left in (work / STORE).glob(f"{FILE_NAME}-*"):  # by those who read it: its write-ahead log is empty
        left.unlink()
    files = files_of(work / STORE)
    return Manifest(
        stack=config.stack,
        taken_s=taken_s,
        package_version=config.package_version,
        chroma_version=config.chroma_version,
        schema=schema_version(),
        collections=collections,
        log_rows=done.log_rows,
        newest_row=done.newest_row,
        rows_to_apply=done.rows_to_apply,
        left_out=tuple(each.collection_id for each in done.left_out),
        files=files,
        archive=at_archive,
        copy_s=done.seconds,
        hash_s=time.monotonic() - started_s,
    )


def _saved(config: Config, at: Repository, target: Target, work: Path, warn: _Warn) -> Saved:
    tags = (f"package={config.package_version}", f"chroma={config.chroma_version}")
    try:
        return at.save(work, config.stack, tags)
    except NoRepository:
        if records.read_all(target, records.BASES):
            warn(
                f"there is no repository of bases at {target.words} although there are manifests of some: it was "
                "removed. A new one is made."
            )
        half_written.unmake(target)
        at.make()
    except (Damaged, ToolFailed) as problem:
        # A process that was killed while it wrote at the target can leave half an index, which stops everything.
        if half_written.unmake(target):
            warn(f"{problem} It holds nothing yet, and is made anew.")
            at.make()
        elif isinstance(problem, Damaged):
            warn(f"{problem} Its index is made anew from its data; `check` tells whether any is missing.")
            at.mend()
        else:
            raise
    return at.save(work, config.stack, tags)


@contextlib.contextmanager
def _work_folder(scratch: Path) -> Iterator[Path]:
    work = scratch / _WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700, parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _manifest_within(at: Repository, snapshot: str) -> Manifest:
    """The manifest that a base carries, with what is known only outside of it."""
    found = from_record(json.loads(at.read(snapshot, MANIFEST)))
    return dataclasses.replace(found, id=snapshot)


def _seconds(iso: str) -> float:
    return datetime.datetime.fromisoformat(iso).timestamp()
