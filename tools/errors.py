"""What went wrong with this machine's set-up, in words for the reader who must act."""

from __future__ import annotations


class ToolError(Exception):
    """A step of the set-up failed.

    The message says what is wrong, where it was found or set, and what would do.
    """


class OutOfReachError(ToolError):
    """A download server does not answer from here; another source may."""


class RefusedError(ToolError):
    """A download arrived but is not what was asked for (checksum, size, content)."""
