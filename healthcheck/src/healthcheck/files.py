"""How many files the server may have open: the soft limit is raised to the hard one before it starts."""

from __future__ import annotations

import resource


def raise_file_limit() -> int:
    """Raise this process's soft limit, which its children inherit; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def shortage(limit: int, needed: int) -> str:
    """What is wrong with the limit; empty when it does."""
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return ""
    return (
        f"the server needs up to {needed} open files (4 for each collection, and its connections), and the hard limit "
        f"is {limit}: raise it (Docker: ulimits nofile), or lower the number of collections"
    )
