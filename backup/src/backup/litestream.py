"""Litestream's configuration, and its control socket."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup.config import ArchiveSettings

NEAR_MS, FAR_MS = 500, 1_000
"""How often the log is read: each time makes a file. One of them costs a target that is far away four requests."""
_SYNC_MS = 200
SHUTDOWN_SYNC_S = 5
"""How long it tries to ship the rest when it is stopped: within the 10 s that whoever wants the database waits."""
RECENT = "5m"
"""For so long each look at the log stays a file of its own: steps of about a second."""
_COARSE_S = 3_600
"""The second level of compaction: a restore reads the days since a snapshot of these, and an hour of the first."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What a request to ship everything found."""

    transaction: int
    """The newest at the target."""


def configuration(
    *,
    database: Path,
    staging: Path,
    control: Path,
    replica: dict[str, object],
    settings: ArchiveSettings,
    read_ms: int,
) -> str:
    """The file's text (JSON, which is YAML). It holds the gateway's password.

    Args:
        database: SQLite's file.
        staging: where Litestream keeps what is not shipped yet, and the last minutes.
        control: its socket.
        replica: from `Gateway.replica`.
        settings: of the archive.
        read_ms: how often the log is read.
    """
    levels = [settings.step_s] + ([_COARSE_S] if settings.step_s <= _COARSE_S // 2 else [])
    content: dict[str, Any] = {
        "logging": {"level": "warn", "type": "json", "stderr": True},
        "socket": {"enabled": True, "path": str(control), "permissions": 0o600},
        "levels": [{"interval": f"{each}s"} for each in levels],
        # Longer than is promised: a moment needs a snapshot before it.
        "snapshot": {
            "interval": f"{24 * settings.snapshot_days}h",
            "retention": f"{24 * (settings.days + settings.snapshot_days)}h",
        },
        "l0-retention": RECENT,
        "l0-retention-check-interval": "60s",
        "shutdown-sync-timeout": f"{SHUTDOWN_SYNC_S}s",
        "dbs": [
            {
                "path": str(database),
                "meta-path": str(staging),
                "monitor-interval": f"{read_ms}ms",
                "replica": {**replica, "sync-interval": f"{_SYNC_MS}ms"},
            }
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def sync(control: Path, database: Path, limit_s: int) -> Synced:
    """Have everything that is committed now at the target when this returns.

    Litestream waits longer and longer after failures, up to five minutes; this does not wait, so it also heals.

    Raises:
        OSError: it did not come about in time; the message says why.
    """
    body = json.dumps({"path": str(database), "wait": True, "timeout": limit_s})
    answer = _ask(control, "POST", "/sync", body, limit_s + 1.0)
    return Synced(transaction=int(answer["replicated_txid"]))


def last_sync(control: Path) -> str | None:
    """When it last had shipped all it knew of, as it tells (ISO 8601); None before.

    Raises:
        OSError: it does not answer.
    """
    databases = _ask(control, "GET", "/list", None, 2.0)["databases"]
    return str(databases[0]["last_sync_at"]) if databases and databases[0].get("last_sync_at") else None


def _ask(control: Path, method: str, path: str, body: str | None, limit_s: float) -> dict[str, Any]:
    connection = _Connection(control, limit_s)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answered = connection.getresponse()
        text = answered.read()
        found = json.loads(text)
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"litestream's control socket answers nonsense ({error!r})") from error
    finally:
        connection.close()
    if answered.status != 200:
        raise OSError(str(found.get("error", text[:300])))
    return dict(found)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, limit_s: float) -> None:
        super().__init__("localhost", timeout=limit_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
