"""What can be wrong with a store, one class per thing the reader must do."""

from __future__ import annotations

EXIT_UNUSABLE = 65
"""`EX_DATAERR` of sysexits.h: the store is not usable as it is; restarting will not help."""
EXIT_LOCKED = 75
"""`EX_TEMPFAIL` of sysexits.h: another process has the store; later it may work."""


class StoreError(Exception):
    """The store cannot be used, and nothing in it was changed. The message says why and what to do."""

    exit_code = EXIT_UNUSABLE


class StoreMissing(StoreError):  # noqa: N818 (named after the state, as in FileNotFound)
    """The directory, or `chroma.sqlite3` in it, does not exist."""


class NotAStore(StoreError):  # noqa: N818
    """`chroma.sqlite3` is not an SQLite database of Chroma."""


class StoreDamaged(StoreError):  # noqa: N818
    """`chroma.sqlite3` is an SQLite database, but parts of it are missing or unreadable."""


class UnknownSchema(StoreError):  # noqa: N818
    """Another version of Chroma made the tables, or something changed them."""


class StoreReadOnly(StoreError):  # noqa: N818
    """This process may not write something in the store that a server must write."""


class WrongOwner(StoreError):  # noqa: N818
    """The store belongs to another user than the one this process runs as."""


class LogPurged(StoreError):  # noqa: N818
    """Chroma removed, or may have removed, vectors from the log: it cannot rebuild every index."""


class IndexDisagrees(StoreError):  # noqa: N818
    """Index and log differ, and the index may be the one that is right."""


class LogSwitchedOff(StoreError):  # noqa: N818
    """The store was prepared once, and its log was switched off since."""


class NotPrepared(StoreError):  # noqa: N818
    """The store was never prepared: its log may lack vectors."""


class TargetNotEmpty(StoreError):  # noqa: N818
    """A copy would be written over something."""


class PreparationFailed(StoreError):  # noqa: N818
    """A setting did not read back as it was written."""


class StoreInUse(StoreError):  # noqa: N818
    """A process has `chroma.sqlite3` open: the server is not stopped."""

    exit_code = EXIT_LOCKED
