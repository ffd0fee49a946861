"""What can be wrong with backups, one class per thing the reader must do. The exit codes are those of the store."""

from __future__ import annotations

EXIT_FOUND = 1
"""Something was found that somebody should look at."""
EXIT_UNUSABLE = 65
"""`EX_DATAERR` of sysexits.h: it cannot work as it is; trying again will not help."""
EXIT_BUSY = 75
"""`EX_TEMPFAIL` of sysexits.h: something else is under way, or out of reach; later it may work."""
EXIT_SETTINGS = 78
"""`EX_CONFIG` of sysexits.h."""


class BackupError(Exception):
    """Nothing was backed up, and no backup was changed. The message says why and what to do."""

    exit_code = EXIT_UNUSABLE


class BadConfig(BackupError):  # noqa: N818 (named after the state, as in FileNotFound)
    """Keys of the configuration have no usable value. `problems` has a line for each."""

    exit_code = EXIT_SETTINGS

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class ToolMissing(BackupError):  # noqa: N818
    """litestream, restic or rclone is not there."""


class ToolFailed(BackupError):  # noqa: N818
    """A tool ended with an error that says nothing a reader could act on but its own words."""


class TargetUnreachable(BackupError):  # noqa: N818
    """The target does not answer."""

    exit_code = EXIT_BUSY


class TargetRefused(BackupError):  # noqa: N818
    """The target answers, and lets nobody in with these credentials."""


class TargetFull(BackupError):  # noqa: N818
    """The target has no room."""

    exit_code = EXIT_BUSY


class WrongKey(BackupError):  # noqa: N818
    """What is at the target was encrypted with another key."""


class Damaged(BackupError):  # noqa: N818
    """What is at the target is not what was written there."""


class Busy(BackupError):  # noqa: N818
    """Another backup, check or removal is under way."""

    exit_code = EXIT_BUSY


class NoBase(BackupError):  # noqa: N818
    """There is no base, or not the one that was asked for."""


class NoRepository(NoBase):
    """No base was ever made at the target, or all that was there is gone."""


class NotEmpty(BackupError):  # noqa: N818
    """There is a store where one should be restored."""


class DrillFailed(BackupError):  # noqa: N818
    """What a backup was restored to does not answer as it must."""


class NoCollection(BackupError):  # noqa: N818
    """The backup has no such collection."""
