"""The work on the store that waits for a planned restart: orphans, compaction, index renewal."""

from __future__ import annotations

from healthcheck.context import Context


def maintain(context: Context) -> None:
    """Do what is worth it, within the limit of time. The server is stopped, the activity lock held."""
    context.log.info("maintenance", steps=0)
