"""`receive`: a store that was sent becomes this one, once everything of it is durable and was compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, BinaryIO

from store.adoption import adopt
from store.archiving import Closed
from store.aside import ORIGIN, move_aside, replaced
from store.database import FILE_NAME, database_path
from store.errors import StoreDamaged, StoreError, TargetNotEmpty
from store.inspection import Inspection, inspect
from store.lock import WriterLock
from store.lock_file import DIRECTORY
from store.preparation import prepare
from store.progress import Progress, silent
from store.repairing import repair
from store.sending import END, HEAD, JOURNALS
from store.staging import is_empty, staged, sync
from store.verification import Depth, verify

STAGE = "importing"
_NAMES = re.compile(
    rf"{re.escape(FILE_NAME)}({'|'.join(JOURNALS)})?|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}/[A-Za-z0-9_.-]+"
)
_PIECE_BYTES = 1 << 20
_MARGIN_BYTES = 64 << 20
_LET_GO_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Received:
    """What the store holds now."""

    path: Path
    collections: int
    """Without those of the guard's own."""
    records: int
    dimensions: int
    """Most of any collection; 0 without one."""
    databases: tuple[str, ...]
    """`tenant/database` of its collections."""
    bytes: int
    """As they came."""
    log_rows_written: int
    """Vectors that the log lacked."""
    vectors_compared: int
    moved_aside: str
    """Where the former store is; empty when there was none."""
    notes: tuple[str, ...]
    seconds: float


def receive(
    stream: BinaryIO,
    into: Path,
    *,
    origin: str = "",
    force: bool = False,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _text: None,
) -> Received:
    """Put a stock store that `send` wrote in the place of one without collections. No server may run on it.

    Until the last step the former store is where it was, and then it is moved aside. Killed at any moment, the next
    run begins anew and removes what was left.

    Args:
        stream: from `send`.
        into: the store; made if it is missing.
        origin: where it came from, for the archive's records.
        force: move a store with collections aside too.
        progress: told of bytes, records, vectors.
        tell: told what is being done.

    Raises:
        TargetNotEmpty: the store has collections.
        StoreDamaged: what came is not whole.
        StoreError: otherwise; the former store is as it was.
    """
    started_s = time.monotonic()
    into = Path(into)
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    with WriterLock(into, program="python -m store receive"), Closed(into) as closed:
        closed.wait(_LET_GO_LIMIT_S)
        stage = into / DIRECTORY / STAGE
        try:
            if not force:
                refuse_collections(into)
            _clear(stage)
            (stage / "tmp").mkdir(mode=0o700, parents=True)
            os.environ["SQLITE_TMPDIR"] = str(stage / "tmp")
            made = stage / "store"
            size = _unpack(stream, made, progress)
            tell("writing what the indexes hold into the log")
            adopted = adopt(made, progress=progress)
            tell("comparing every vector and record with the log")
            compared, notes = _compare(made, progress)
            found = inspect(made)
            prepare(made)  # the last one to close the database leaves no write-ahead log beside it
            moved = str(move_aside(into, "before-import", but=STAGE)) if not is_empty(into) else ""
            done = _received(
                into,
                found,
                size=size,
                written=adopted.written + adopted.completed,
                compared=compared,
                moved=moved,
                notes=notes,
                seconds=time.monotonic() - started_s,
            )
            _put_in_place(made, into, origin, done)
        finally:
            _clear(stage)
        return done


def refuse_collections(store: Path) -> None:
    """Raise when a store has collections of its users, or one cannot tell.

    Raises:
        TargetNotEmpty: it has.
    """
    if is_empty(store) or not database_path(store).exists():
        return
    try:
        found = inspect(store).of_users
    except StoreError as error:
        raise TargetNotEmpty(f"whether {store} has data cannot be told: {error}") from error
    if found:
        records = sum(view.records for view in found)
        named = ", ".join(view.name for view in found[:3]) + (", …" if len(found) > 3 else "")
        raise TargetNotEmpty(
            f"{store} has {len(found)} collections with {records:,} records ({named}): nothing is imported over data. "
            "With --force it is moved aside first."
        )


def _unpack(stream: BinaryIO, made: Path, progress: Progress) -> int:
    """Write the files that come, and have them on disk; how many bytes they have.

    Raises:
        StoreDamaged: the stream has no end, or holds what `send` does not write.
        StoreError: there is no room.
    """
    made.mkdir(mode=0o700)
    total, done, files = 0, 0, 0
    expected: dict[str, int] | None = None
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                if content is None or (expected is None) != (entry.name == HEAD):
                    raise StoreDamaged("what came is not what `python -m store send` writes.")
                if entry.name == HEAD:
                    expected = json.load(content)
                    total = expected["bytes"]
                    _check_room(made, total)
                elif entry.name == END:
                    if json.load(content) == expected == {"files": files, "bytes": done}:
                        progress("copying", total, total)
                        return total
                    break
                else:
                    files += 1
                    for piece in _written(made, entry.name, content):
                        done += piece
                        progress("copying", min(done, total - 1), total)
    except tarfile.TarError as error:
        raise StoreDamaged(f"the store did not come whole ({error}).") from error
    raise StoreDamaged("the store did not come whole: its sender ended before its end.")


def _written(made: Path, name: str, content: IO[bytes]) -> Iterator[int]:
    """Write one file; yields how many bytes were added."""
    if not _NAMES.fullmatch(name):
        raise StoreDamaged(f"what came holds {name!r}, which is no file of a store.")
    path = made / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with path.open("wb") as out:
        while piece := content.read(_PIECE_BYTES):
            out.write(piece)
            yield len(piece)
    sync(path)


def _check_room(made: Path, total: int) -> None:
    status = os.statvfs(made)
    free = status.f_bavail * status.f_frsize
    if free < total + _MARGIN_BYTES:
        raise StoreError(f"the store that comes has {total:,} bytes, and {free:,} are free here: make room.")


def _compare(made: Path, progress: Progress) -> tuple[int, tuple[str, ...]]:
    """Every vector and record against the log; how many vectors, and what was mended.

    Raises:
        StoreDamaged: something is wrong that making an index anew does not mend.
    """
    found = verify(made, Depth.EMBEDDINGS, progress=progress)
    if rest := found.undecided:
        raise StoreDamaged(f"{len(rest)} things are wrong with it, first: {rest[0].detail}")
    if not found.findings:
        return found.vectors_compared, ()
    mended = repair(made, found)
    if not mended.is_whole:
        raise StoreDamaged(f"it cannot be made whole: {found.findings[0].detail}")
    notes = [f"{len(mended.rebuilt)} indexes will be made anew"] if mended.rebuilt else []
    notes += [f"{len(mended.removed)} index folders of no collection were left out"] if mended.removed else []
    return found.vectors_compared, tuple(notes)


def _received(
    into: Path,
    found: Inspection,
    *,
    size: int,
    written: int,
    compared: int,
    moved: str,
    notes: tuple[str, ...],
    seconds: float,
) -> Received:
    views = found.of_users
    return Received(
        path=into,
        collections=len(views),
        records=sum(view.records for view in views),
        dimensions=max((view.dimensions or 0 for view in views), default=0),
        databases=tuple(sorted({f"{view.tenant}/{view.database}" for view in views})),
        bytes=size,
        log_rows_written=written,
        vectors_compared=compared,
        moved_aside=moved,
        notes=notes,
        seconds=seconds,
    )


def _put_in_place(made: Path, into: Path, origin: str, done: Received) -> None:
    """The store appears at once, with the note of where it came from beside it."""
    note = {"source": "import", "from": origin, **asdict(done), "restored_s": time.time()}
    (into / DIRECTORY / ORIGIN).write_text(json.dumps(note, indent=1, default=str) + "\n")
    with staged(into) as partial:
        for entry in made.iterdir():
            if entry.name != DIRECTORY:
                entry.rename(partial / entry.name)
    replaced(into)


def _clear(stage: Path) -> None:
    shutil.rmtree(stage, ignore_errors=True)
