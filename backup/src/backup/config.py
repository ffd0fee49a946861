"""What the backup container is told: one JSON file, all of it checked before anything starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backup.config_reader import Reader, read_object
from backup.errors import BadConfig
from backup.retention import Keep
from backup.schedule import Schedule, check_expression, check_time_zone

CONFIG_VARIABLE, DEFAULT_CONFIG = "BACKUP_CONFIG", "/run/cortex/secrets/backup.json"
LISTEN_VARIABLE, DEFAULT_LISTEN = "BACKUP_LISTEN", "127.0.0.1:8090"
SCRATCH_VARIABLE, DEFAULT_SCRATCH = "BACKUP_SCRATCH", "/scratch"
_KEY_CHARACTERS = 43


@dataclass(frozen=True, slots=True)
class DirectoryTarget:
    """A directory: a volume other than the data's, most likely."""

    path: str


@dataclass(frozen=True, slots=True)
class S3Target:
    """A bucket, or a part of one."""

    endpoint: str
    bucket: str
    prefix: str
    region: str
    path_style: bool
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    ca: str = field(repr=False)
    """Certificates (PEM) that sign the endpoint's; empty for those that the system trusts."""


@dataclass(frozen=True, slots=True)
class SftpTarget:
    """A directory on a host that is reached by SSH."""

    host: str
    port: int
    user: str
    path: str
    """Empty for where the user arrives."""
    private_key: str = field(repr=False)
    host_key: str
    """As in `known_hosts`, without the name."""


AnyTarget = DirectoryTarget | S3Target | SftpTarget


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """How the log is shipped."""

    days: int
    """For how long any moment can be restored."""
    snapshot_days: int
    """From one whole copy of the log to the next."""
    step_s: int
    """Distance of two moments that can be restored, older than five minutes."""
    staging_bytes: int
    """How much may wait for a target that does not answer."""
    wal_bytes: int
    """How far SQLite's write-ahead log may grow before the archive lets go of the database."""
    staging_path: Path


@dataclass(frozen=True, slots=True)
class Config:
    """All of it."""

    stack: str
    store: Path
    key: str = field(repr=False)
    target: AnyTarget
    bases: Schedule
    keep: Keep
    archive: ArchiveSettings
    drills: Schedule
    state: str = field(repr=False)
    """The stack's exported state and secrets, which each base carries."""
    package_version: str
    chroma_version: str


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the file is."""
    return Path(environment.get(CONFIG_VARIABLE, DEFAULT_CONFIG))


def scratch_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where copies and restores are put together."""
    return Path(environment.get(SCRATCH_VARIABLE, DEFAULT_SCRATCH))


def listen_address(environment: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Host and port of the daemon's endpoints.

    Raises:
        BadConfig: they are none.
    """
    text = environment.get(LISTEN_VARIABLE, DEFAULT_LISTEN)
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise BadConfig([f"{LISTEN_VARIABLE}={text!r} is not host:port, for example {DEFAULT_LISTEN}"])
    return host.strip("[]"), int(port)


def load(path: Path) -> Config:
    """Read and check the file.

    Raises:
        BadConfig: naming every key that is wrong, why, and a value that would do. Secrets are not repeated.
    """
    reader = Reader(read_object(path), path)
    stack = reader.text("stack", "prod")
    bases, archive, drills, versions = (reader.part(name) for name in ("bases", "archive", "drills", "versions"))
    keep = bases.part("keep")
    config = Config(
        stack=stack,
        store=Path(reader.absolute("store", "/data")),
        key=reader.secret("key", _KEY_CHARACTERS),
        target=_target(reader.part("target")),
        bases=_schedule(bases, f"{stack}/base", "0 * * * *"),
        keep=Keep(
            last=keep.whole("last", 1, 10_000, 3),
            hourly=keep.whole("hourly", 0, 10_000, 24),
            daily=keep.whole("daily", 0, 10_000, 7),
            weekly=keep.whole("weekly", 0, 10_000, 5),
            monthly=keep.whole("monthly", 0, 10_000, 12),
        ),
        archive=ArchiveSettings(
            days=archive.whole("days", 1, 3_650, 7),
            snapshot_days=archive.whole("snapshot_days", 1, 3_650, 3),
            step_s=archive.whole("step_s", 1, 86_400, 30),
            staging_bytes=archive.whole("staging_bytes", 1 << 20, 1 << 50, 512 << 20),
            wal_bytes=archive.whole("wal_bytes", 16 << 20, 1 << 50, 256 << 20),
            staging_path=Path(archive.absolute("staging_path", "/staging")),
        ),
        drills=_schedule(drills, f"{stack}/drill", "0 4 * * sun"),
        state=reader.text("state", "", empty=True),
        package_version=versions.text("package", "0.1.0"),
        chroma_version=versions.text("chroma", "1.5.9"),
    )
    reader.finish()
    return config


def _schedule(part: Reader, seed: str, example: str) -> Schedule:
    return Schedule(
        expression=part.checked("schedule", check_expression, example),
        time_zone=part.checked("time_zone", check_time_zone, "UTC"),
        jitter_s=part.whole("jitter_s", 0, 86_400, 300),
        seed=seed,
    )


def _target(part: Reader) -> AnyTarget:
    kind = part.choice("kind", ("directory", "s3", "sftp"))
    if kind == "s3":
        return S3Target(
            endpoint=part.checked("endpoint", _check_url, "https://s3.example.org"),
            bucket=part.text("bucket", "backups"),
            prefix=part.text("prefix", "", empty=True).strip("/"),
            region=part.text("region", "", empty=True),
            path_style=part.flag("path_style"),
            access_key_id=part.secret("access_key_id"),
            secret_access_key=part.secret("secret_access_key"),
            ca=part.text("ca", "", empty=True),
        )
    if kind == "sftp":
        return SftpTarget(
            host=part.text("host", "backup.example.org"),
            port=part.whole("port", 1, 65_535, 22),
            user=part.text("user", "backup"),
            path=part.text("path", "cortex", empty=True),
            private_key=part.secret("private_key"),
            host_key=part.checked("host_key", _check_host_key, "ssh-ed25519 AAAA…"),
        )
    return DirectoryTarget(path=part.absolute("path", "/backup"))


def _check_url(text: str) -> None:
    if not text.startswith(("https://", "http://")):
        raise ValueError("does not begin with https:// or http://")


def _check_host_key(text: str) -> None:
    if len(text.split()) < 2 or not text.split()[1].startswith("AAAA"):
        raise ValueError("is not a key as in known_hosts: its type and the key, without the name of the host")
