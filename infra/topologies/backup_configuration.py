"""What the archiver and the drill are told: the text of their file (docs/backup.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version

from pydantic import SecretStr
from store.schema import CHROMA_VERSION

from infra.plan import Word
from infra.settings import Settings
from infra.settings.target import Target
from infra.sizing import snapshot_days
from infra.sizing.coefficients import MB, MIB
from infra.topologies.parts import STORE_PATH
from infra.vocabulary import TargetKind

KEY = Word("backup-key", 1, outlives=True)
"""What everything at the target is encrypted with. It has one generation: another key is another target.

Every stack has it, whatever its settings: one that drops it for a while could not read its backups again.
"""
TARGET_PATH, STAGING_PATH = "/backup", "/staging"
_MINUTE_S = 60


def configuration(stack: str, settings: Settings, secrets: Mapping[str, str]) -> dict[str, object]:
    """What the archiver and the drill are told (docs/backup.md).

    Args:
        stack: Name of the stack.
        settings: Its settings.
        secrets: Values of the secrets that a rebuilt stack must have again, and of the key if it was made.
    """
    backup = settings.backup
    given = backup.encryption_key
    carried = {name: value for name, value in secrets.items() if name != KEY.key}
    return {
        "stack": stack,
        "store": STORE_PATH,
        "key": given.get_secret_value() if given else secrets.get(KEY.key, ""),
        "target": target(backup, backup.target),
        "bases": {
            "schedule": backup.schedule,
            "time_zone": backup.time_zone,
            "jitter_s": _MINUTE_S * backup.jitter_minutes,
            "keep": {
                "last": backup.keep_last,
                "hourly": backup.keep_hourly,
                "daily": backup.keep_daily,
                "weekly": backup.keep_weekly,
                "monthly": backup.keep_monthly,
            },
        },
        "archive": {
            "days": backup.archive_days,
            "snapshot_days": snapshot_days(backup.archive_days),
            "step_s": backup.archive_step_s,
            "staging_path": STAGING_PATH,
            "staging_bytes": backup.staging_mib * MIB,
            "wal_bytes": max(256 * MB, backup.staging_mib * MIB // 2),
        },
        "drills": {
            "schedule": backup.drill_schedule,
            "time_zone": backup.time_zone,
            "jitter_s": _MINUTE_S * backup.drill_jitter_minutes,
        },
        "state": json.dumps({"stack": stack, "secrets": carried}),
        "versions": {"package": version("cortex-stack"), "chroma": CHROMA_VERSION},
    }


def target(place: Target, kind: TargetKind) -> dict[str, object]:
    """A target as the archiver reads it."""
    match kind:
        case TargetKind.S3:
            return {
                "kind": "s3",
                "endpoint": place.endpoint,
                "bucket": place.bucket,
                "prefix": place.prefix,
                "region": place.region,
                "path_style": place.path_style,
                "access_key_id": place.access_key_id,
                "secret_access_key": _opened(place.secret_access_key),
                "ca": _opened(place.ca),
            }
        case TargetKind.SFTP:
            return {
                "kind": "sftp",
                "host": place.host,
                "port": place.sftp_port,
                "user": place.user,
                "path": place.prefix,
                "private_key": _opened(place.private_key),
                "host_key": place.host_key,
            }
        case _:
            return {"kind": "directory", "path": TARGET_PATH}


def _opened(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
