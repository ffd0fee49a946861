"""What somebody wants back: the newest state, that of a moment, or a base."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

LATEST = "latest"
_BASE = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of the three; neither a moment nor a base is the newest state."""

    moment_s: float | None = None
    """Nothing that was written later comes back. Seconds since 1970."""
    base: str = ""
    """Id of the base, or its beginning."""

    def __str__(self) -> str:
        if self.base:
            return f"base {self.base}"
        return LATEST if self.moment_s is None else in_words(self.moment_s)


def read(text: str) -> Wanted:
    """Read `latest`, a time with its zone, or a base's id.

    Raises:
        ValueError: it is none of them; the message says what would do.
    """
    if text == LATEST:
        return Wanted()
    if _BASE.fullmatch(text):
        return Wanted(base=text)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            f"{text!r} is neither {LATEST}, nor a time with its zone such as 2027-01-31T12:00:00Z, nor the id of a "
            "base (8 to 64 hexadecimal digits)"
        )
    return Wanted(moment_s=moment.timestamp())


def in_words(moment_s: float) -> str:
    """A moment for people: UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(moment_s, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
