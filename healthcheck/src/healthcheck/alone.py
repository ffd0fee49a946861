"""Having the database alone: the archiver beside the server lets go of it for a while."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import store
from healthcheck.context import Context

LIMIT_S = 20.0
"""An archiver ships what it has first, and is ended if its target does not take that."""
_POLL_S = 0.05


@contextlib.contextmanager
def alone(context: Context) -> Iterator[None]:
    """Keep the archiver away from the store's database.

    One that does not let go is told of; what cannot be done beside it then says so itself.

    Raises:
        StopRequested: the guard was asked to stop while it waited.
    """
    closed = store.Closed(context.store)
    try:
        closed.__enter__()
    except store.StoreError as problem:
        context.log.warning("archiver.not_asked", reason=str(problem))
        yield
        return
    try:
        if store.is_archived(context.store):
            _wait(context)
        yield
    finally:
        closed.__exit__(None, None, None)


def _wait(context: Context) -> None:
    began_s = time.monotonic()
    gone = context.loop.wait(lambda: not store.is_archived(context.store), LIMIT_S, every_s=_POLL_S)
    took_s = time.monotonic() - began_s
    if gone:
        context.log.info("archiver.let_go", took_s=round(took_s, 3))
    else:
        context.log.warning("archiver.holds_on", reason=f"it did not close the database within {took_s:.0f} s")
