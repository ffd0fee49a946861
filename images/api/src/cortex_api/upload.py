"""Large loads: NDJSON in, committed chunk by chunk, NDJSON progress out, in memory bounded by one chunk."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread
from pydantic import ValidationError

from cortex_api import checks
from cortex_api.indexing import Indexer
from cortex_api.ndjson import Chunker, Line, LineTooLong
from cortex_api.phase import Phase, PhaseHolder
from cortex_api.problems import Problem, Wrong, path_of
from cortex_api.schemas import Document
from cortex_api.settings import Settings
from cortex_api.storage import Collection, StorageError
from cortex_api.storage_problems import problem_of

# A client that does not read while it sends must not fill the socket: an hour of progress is 3,600 lines.
_PROGRESS_INTERVAL_S = 1.0
_MAX_FAILURES = 1_000
Event = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """How far an upload is. `committed_line`: every good line up to it is written."""

    upserted: int = 0
    failed: int = 0
    truncated: int = 0
    committed_line: int = 0
    events: list[Event] = field(default_factory=list)


class Upload:
    """One streamed upload into one collection."""

    def __init__(self, indexer: Indexer, collection: Collection, settings: Settings, phase: PhaseHolder, *, skip: bool):
        """Prepare.

        Args:
            indexer: writes.
            collection: into which.
            settings: limits; a chunk is a batch of at most a quarter of the largest body.
            phase: an upload ends at a chunk's end when the process stops.
            skip: go on after a wrong line, instead of ending there.
        """
        self._indexer = indexer
        self._collection = collection
        self._settings = settings
        self._phase = phase
        self._skip = skip
        self.tally = Tally()

    async def run(self, body: AsyncIterator[bytes]) -> AsyncIterator[Event]:
        """Events: `progress`, `failed` (a line), and at last `done` or `aborted`."""
        chunker = Chunker(self._indexer.batch_rows, self._settings.max_body_bytes // 4)
        said = time.monotonic()
        try:
            async for data in body:
                for chunk in chunker.feed(data):
                    await to_thread.run_sync(self._commit, chunk)
                    for event in self._events():
                        yield event
                    if time.monotonic() - said >= _PROGRESS_INTERVAL_S:
                        said = time.monotonic()
                        yield self._state("progress")
            for chunk in chunker.end():
                await to_thread.run_sync(self._commit, chunk)
        except _Ended as end:
            for event in self._events():
                yield event
            yield self._state("aborted") | end.reason
        except LineTooLong as problem:
            detail = f"{problem} (a quarter of CORTEX_MAX_BODY_BYTES)"
            yield self._state("aborted") | {"slug": "line-too-long", "detail": detail, "line": problem.number}
        else:
            for event in self._events():
                yield event
            yield self._state("done")

    def _commit(self, lines: list[Line]) -> None:
        """Write the good lines of a chunk. Runs in a thread."""
        good: dict[str, Document] = {}
        numbers: list[int] = []
        stopped_by: Event | None = None
        for line in lines:
            wrongs, document = self._read(line)
            if document is None:
                self.tally.failed += 1
                self.tally.events.append(_failure(line.number, wrongs))
                if not self._skip or self.tally.failed >= _MAX_FAILURES:
                    stopped_by = {"slug": "line-failed", "detail": wrongs[0].message, "line": line.number}
                    break
                continue
            if document.id in good:  # a batch may hold an id once; the later line counts, as if sent later
                self._write(good, numbers)
                good, numbers = {}, []
            good[document.id] = document
            numbers.append(line.number)
        self._write(good, numbers)
        if stopped_by is not None:
            raise _Ended(stopped_by)
        self.tally.committed_line = lines[-1].number
        if self._phase.current is Phase.STOPPING:
            raise _Ended({"slug": "stopping", "detail": "the API is stopping; send the lines after this one again"})

    def _read(self, line: Line) -> tuple[list[Wrong], Document | None]:
        try:
            document = Document.model_validate_json(line.data)
        except ValidationError as problem:
            errors = problem.errors(include_url=False, include_input=False)
            return [Wrong(path_of(("line", *each["loc"])), each["msg"]) for each in errors], None
        wrongs = list(checks.document(document, self._collection, self._settings, "line"))
        return wrongs, None if wrongs else document

    def _write(self, good: dict[str, Document], numbers: list[int]) -> None:
        if not good:
            return
        try:
            written = self._indexer.write(self._collection, list(good.values()))
        except StorageError as error:
            problem = problem_of(error, self._collection.name)
            if problem is None:
                raise
            raise _Ended({"slug": problem.slug, "detail": problem.detail, "line": numbers[0]}) from error
        self.tally.upserted += written.rows
        self.tally.truncated += len(written.truncated)
        self.tally.committed_line = numbers[-1]
        if written.truncated:
            self.tally.events.append({"event": "truncated", "ids": list(written.truncated)})

    def _events(self) -> list[Event]:
        events, self.tally.events = self.tally.events, []
        return events

    def _state(self, event: str) -> Event:
        tally = self.tally
        return {
            "event": event,
            "upserted": tally.upserted,
            "failed": tally.failed,
            "truncated": tally.truncated,
            "committed_line": tally.committed_line,
        }


class _Ended(Exception):  # noqa: N818 -- not an error of ours
    """The upload ends before the stream does."""

    def __init__(self, reason: Event) -> None:
        super().__init__(reason["detail"])
        self.reason = reason


def _failure(number: int, wrongs: list[Wrong]) -> Event:
    return {
        "event": "failed",
        "line": number,
        "errors": [{"where": wrong.where, "message": wrong.message} for wrong in wrongs],
    }


def require_ndjson(content_type: str | None, content_encoding: str | None) -> None:
    """415 unless the body is plain NDJSON."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in {"application/x-ndjson", "application/ndjson", "application/jsonl"}:
        raise Problem(415, "not-ndjson", "send Content-Type: application/x-ndjson, one JSON document per line")
    if (content_encoding or "identity").lower() != "identity":
        raise Problem(415, "encoded", f"Content-Encoding {content_encoding!r} is not possible; send the lines plain")
