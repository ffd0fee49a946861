"""The file in which the guard publishes its state, and how old it may be. Read by the exec probe: light imports."""

import os

DEFAULT_PATH = "/tmp/cortex/health.json"  # noqa: S108 (memory, in the container)
DEFAULT_TICK_S = 1.0
VERSION = 1
_MAX_BYTES = 1 << 20
_SLACK_S = 2.0
"""Above three ticks: a loaded machine delays a tick by this much without anything being wrong."""


def max_age_s(tick_s: float) -> float:
    """Age from which on the state says nothing any more: the guard's loop does not turn."""
    return 3 * tick_s + _SLACK_S


def publish(path: str, text: str) -> None:
    """Replace the file's content at once: a reader sees the old state or the new one.

    It is not forced to disk: what a restart leaves of it is stale by its own time.

    Raises:
        OSError: the directory cannot be made or written.
    """
    temporary = path + ".new"
    try:
        _write(temporary, text)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)  # noqa: PTH103, PTH120
        _write(temporary, text)
    os.replace(temporary, path)  # noqa: PTH105


def read(path: str) -> str:
    """The published text.

    Raises:
        OSError: there is none.
        ValueError: it is not what a guard writes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        raw = os.read(descriptor, _MAX_BYTES)
    finally:
        os.close(descriptor)
    return raw.decode()


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
