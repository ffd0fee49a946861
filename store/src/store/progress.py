"""How far long work has come: as a bar for people, as JSON lines for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: not known)."""

_INTERVAL_S = 0.2
"""Between two reports of the same work; its first and last are always told."""
_BAR_COLUMNS = 30


def silent(what: str, done: int, of: int) -> None:
    """Tell nobody."""


def as_json_lines(out: TextIO) -> Progress:
    """One line of `{"progress": {"what": …, "done": n, "of": n}}` per report."""

    def tell(what: str, done: int, of: int) -> None:
        out.write(json.dumps({"progress": {"what": what, "done": done, "of": of}}) + "\n")
        out.flush()

    return _throttled(tell)


def as_bar(out: TextIO) -> Progress:
    """A bar that is drawn over itself, and stays when its work is done."""

    def tell(what: str, done: int, of: int) -> None:
        share = min(done / of, 1.0) if of else 0.0
        bar = ("#" * round(share * _BAR_COLUMNS)).ljust(_BAR_COLUMNS, ".")
        ended = "\n" if of and done >= of else ""
        out.write(f"\r\033[K{what:<40.40} [{bar}] {share:4.0%} of {of:,}{ended}")
        out.flush()

    return _throttled(tell)


def _throttled(tell: Progress) -> Progress:
    last_what = ""
    last_s = 0.0

    def throttled(what: str, done: int, of: int) -> None:
        nonlocal last_what, last_s
        now_s = time.monotonic()
        if what == last_what and done < of and now_s - last_s < _INTERVAL_S:
            return
        last_what, last_s = what, now_s
        tell(what, done, of)

    return throttled
