"""What can be set about backups, drills and restores, and the rules for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, SecretStr

from infra.settings import target
from infra.settings.problems import Problem
from infra.settings.section import Number
from infra.settings.target import Target
from infra.vocabulary import TargetKind

NEVER = "never"
KEY_PATTERN = "[A-Za-z0-9_-]{43}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})"
WANTED_PATTERN = rf"^(latest|{_TIME}|[0-9a-f]{{8,64}})$"
"""What can be restored: the newest state, that of a moment, or a base by its id."""


def _cron(text: str) -> str:
    try:
        next(CronSim(text, datetime.now(UTC)))
    except (CronSimError, StopIteration):
        raise ValueError("is not a cron expression that ever comes true") from None
    return text


def _cron_or_never(text: str) -> str:
    return text if text == NEVER else _cron(text)


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, OSError, ValueError):
        raise ValueError("is not a time zone") from None
    return text


def _key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(KEY_PATTERN, value.get_secret_value()):
        raise ValueError("is not a key of 43 letters, digits, - and _")
    return value


EncryptionKey = Annotated[SecretStr, AfterValidator(_key)]
Cron = Annotated[str, AfterValidator(_cron)]
CronOrNever = Annotated[str, AfterValidator(_cron_or_never)]
Zone = Annotated[str, AfterValidator(_zone)]


class Backup(Target):
    """Where backups go, when, and how long they are kept."""

    key: ClassVar[str] = "backup"

    target: TargetKind = Field(
        TargetKind.VOLUME, description="Where: a volume beside the store's, a directory of the host, S3, SFTP, or none"
    )
    encryption_key: EncryptionKey | None = Field(
        None,
        description="The key of existing backups, from the recovery sheet; made at the first `up` when absent",
        examples=["(a secret)"],
    )
    schedule: Cron = Field("0 * * * *", description="When a base is taken: a cron expression")
    time_zone: Zone = Field("UTC", description="Time zone of the schedules", examples=["Europe/Berlin"])
    jitter_minutes: Number = Field(5, ge=0, le=720, description="Bases are taken up to so many minutes later")
    keep_last: Number = Field(3, ge=1, le=1_000, description="Bases kept, whatever their age")
    keep_hourly: Number = Field(24, ge=0, le=1_000, description="Further bases kept: the last of each of so many hours")
    keep_daily: Number = Field(7, ge=0, le=1_000, description="Likewise of each of so many days")
    keep_weekly: Number = Field(5, ge=0, le=1_000, description="Likewise of each of so many weeks")
    keep_monthly: Number = Field(12, ge=0, le=1_000, description="Likewise of each of so many months")
    archive_days: Number = Field(7, ge=1, le=365, description="Days back to which any moment can be restored")
    archive_step_s: Number = Field(
        30, ge=1, le=3_600, description="Distance of those moments beyond the last five minutes, seconds"
    )
    staging_mib: Number = Field(
        512, ge=64, le=65_536, description="What may wait on this machine for a target that does not answer, MiB"
    )
    drill_schedule: CronOrNever = Field(
        "0 4 * * sun", description="When a restore is tried and everything is read back: a cron expression, or never"
    )
    drill_jitter_minutes: Number = Field(30, ge=0, le=1_440, description="Drills begin up to so many minutes later")


class Restore(Target):
    """A stack that begins with the data of a backup."""

    key: ClassVar[str] = "restore"

    target: TargetKind | None = Field(
        None, description="Where the backup is; the stack's own target when absent", examples=["s3"]
    )
    encryption_key: EncryptionKey | None = Field(
        None,
        description="The key of a backup that is at another target than the stack's own; set it with --secret",
        examples=["(a secret)"],
    )
    to: str = Field(
        "latest",
        pattern=WANTED_PATTERN,
        description="What to restore: latest, a moment with time zone, or the id of a base",
        examples=["2027-01-31T12:00:00Z"],
    )


def check(sections: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with backups and restore.

    Args:
        sections: The sections that could be read, by key.
    """
    backup: Backup | None = sections.get(Backup.key)
    restore: Restore | None = sections.get(Restore.key)
    if backup is not None:
        yield from target.check(backup, backup.target)
    if restore is None:
        return
    if restore.target is not None:
        yield from target.check(restore, restore.target)
        if restore.encryption_key is None:
            yield Problem(
                "restore.encryption_key",
                "is needed with a target of another stack: its backups are encrypted",
                "pulumi config set --path --secret restore.encryption_key KEY; `cortex recovery-sheet` there shows it",
            )
        if restore.target is TargetKind.NONE:
            yield Problem("restore.target", "has nothing to restore from", "name where the backup is", "none")
        return
    if backup is not None and backup.target is TargetKind.NONE:
        yield Problem(
            "restore.target",
            "is needed, because the stack has no backups of its own (cortex:backup.target is none)",
            "name where the backup is, such as s3",
        )
    for name in target.given(restore):
        if name == "to":
            continue
        yield Problem(
            f"restore.{name}",
            "is given without cortex:restore.target, so the stack's own target and key are used",
            "leave it out, or set cortex:restore.target",
        )
