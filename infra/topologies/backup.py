"""Backups: the archiver beside the store's server, and the drill that tries to restore what it made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from infra.plan import Container, FileVolume, Network, Place, Resources, Restore
from infra.settings import Backup, Settings
from infra.settings import Restore as RestoreSettings
from infra.settings.backup import NEVER
from infra.settings.target import Target
from infra.sizing import BackupSizing, Sizing, rows_left, size_backups
from infra.sizing.coefficients import ARCHIVER_BYTES, MIB, RESTORE_BYTES
from infra.sizing.sizing import round_up, with_headroom
from infra.topologies import guarding
from infra.topologies.backup_configuration import KEY, STAGING_PATH, TARGET_PATH, configuration, target
from infra.topologies.parts import SECRETS_PATH, STORE_PATH, health_check, open_files
from infra.vocabulary import TargetKind

BACKUP, DRILL = "backup", "drill"
IMAGE = "backup"
CONFIG = "backup.json"
SCRATCH_PATH, REPORTS_PATH = "/scratch", "/reports"
STATUS_PORT = 8090
# The target is elsewhere, and nothing but the archiver and the drill has to get there.
NETWORK = Network("backup", internal=False)
LOCAL = frozenset({TargetKind.VOLUME, TargetKind.DIRECTORY})
"""Targets on the store's own host."""
ARCHIVER_CPUS, FILES = 1.0, 1024
STARTUP_S = 30
# What is not shipped yet is shipped first, if the target takes it.
STOP_GRACE_S = 30
RESTORE_S = 3_600
"""Beyond the time that the indexes take to be made: a slow target."""
_WHOLE_PERCENT = 100
# Between two maintenance windows at most.
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Backups:
    """What a stack's backups consist of.

    Attributes:
        archiver: Beside the server, in its group.
        drill: A workload of its own; None when no drills are wanted.
        networks: Networks that they need.
    """

    archiver: Container
    drill: Container | None
    networks: tuple[Network, ...]


def wanted(settings: Settings) -> bool:
    """Whether there are backups."""
    return settings.backup.target is not TargetKind.NONE


def archiver_memory_bytes(settings: Settings) -> int:
    """Memory limit of the archiver; 0 without backups."""
    return with_headroom(ARCHIVER_BYTES, settings.limits.headroom_percent) if wanted(settings) else 0


def drill_memory_bytes(settings: Settings, need: Sizing) -> int:
    """Memory limit of the drill, which has a server like the store's; 0 without drills."""
    if not wanted(settings) or settings.backup.drill_schedule == NEVER:
        return 0
    return round_up((settings.limits.memory_bytes or need.memory_limit_bytes) + RESTORE_BYTES, MIB)


def disk(settings: Settings, need: Sizing) -> BackupSizing | None:
    """Disk that backups take; None without backups.

    Args:
        settings: The stack's settings.
        need: What the store needs.
    """
    if not wanted(settings):
        return None
    backup, maintenance = settings.backup, settings.maintenance
    superseded_percent = _WHOLE_PERCENT if maintenance.window == NEVER else maintenance.compact_percent
    return size_backups(
        need.corpus,
        log_rows=rows_left(need.corpus, superseded_percent, _WEEK_DAYS * settings.corpus.updates_per_day),
        archive_days=backup.archive_days,
        staging_bytes=backup.staging_mib * MIB,
        drills=backup.drill_schedule != NEVER,
        target_here=backup.target is TargetKind.VOLUME,
    )


def backups(
    stack: str, settings: Settings, need: Sizing, keys: tuple[str, ...], hard_limit: int | None
) -> Backups | None:
    """Lay the backups down; None if none are wanted.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        need: What the store needs.
        keys: Names of the secrets that a rebuilt stack must have again: each base carries them.
        hard_limit: Descriptors a container can be given.
    """
    if not wanted(settings):
        return None
    backup = settings.backup
    networks = () if backup.target in LOCAL else (NETWORK,)
    key = () if backup.encryption_key else (KEY.key,)
    archiver = Container(
        name=BACKUP,
        image=IMAGE,
        environment=_environment(stack, settings, startup_s=STARTUP_S),
        resources=Resources(
            memory_limit_bytes=archiver_memory_bytes(settings),
            memory_reservation_bytes=ARCHIVER_BYTES // 2 // MIB * MIB,
            cpus=ARCHIVER_CPUS,
            open_files=open_files(FILES, hard_limit),
        ),
        stop_grace_s=STOP_GRACE_S,
        health=health_check(settings, STARTUP_S),
        networks=tuple(network.name for network in networks),
        files=_files(f"{BACKUP}-secrets", stack, settings, (*keys, *key)),
        places=(
            *_target(backup, backup.target, read_only=False),
            Place("staging", STAGING_PATH),
            Place("scratch", SCRATCH_PATH),
            # The drill may only read the target: the archiver keeps its reports there.
            Place("drill-reports", REPORTS_PATH, read_only=True),
        ),
    )
    if backup.drill_schedule == NEVER:
        return Backups(archiver, None, networks)
    # It opens what bases carry, and needs none of that to begin with.
    files = _files(f"{DRILL}-secrets", stack, settings, key)
    drill = _drill(stack, settings, need, networks=archiver.networks, files=files, hard_limit=hard_limit)
    return Backups(archiver, drill, networks)


def _drill(
    stack: str,
    settings: Settings,
    need: Sizing,
    *,
    networks: tuple[str, ...],
    files: FileVolume,
    hard_limit: int | None,
) -> Container:
    return Container(
        name=DRILL,
        image=IMAGE,
        environment=_environment(stack, settings, startup_s=STARTUP_S),
        resources=Resources(
            memory_limit_bytes=drill_memory_bytes(settings, need),
            memory_reservation_bytes=64 * MIB,
            cpus=settings.limits.cpus,
            open_files=open_files(need.open_files, hard_limit),
        ),
        stop_grace_s=STOP_GRACE_S,
        health=health_check(settings, STARTUP_S),
        networks=networks,
        files=files,
        places=(
            *_target(settings.backup, settings.backup.target, read_only=True),
            Place("drill-scratch", SCRATCH_PATH),
            Place("drill-reports", REPORTS_PATH),
        ),
        command=("python3", "-m", "backup", "drilling"),
    )


def restore(stack: str, settings: Settings, need: Sizing) -> Restore | None:
    """What fills the store from a backup; None if it begins empty.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        need: What the store needs.
    """
    wanted, own = settings.restore, settings.backup
    if wanted is None:
        return None
    place: Backup | RestoreSettings = own if wanted.target is None else wanted
    kind, given = wanted.target or own.target, place.encryption_key

    def configured(secrets: Mapping[str, str]) -> str:
        told = configuration(stack, settings, secrets)
        return json.dumps(
            {
                **told,
                "key": given.get_secret_value() if given else secrets[KEY.key],
                "target": target(place, kind),
                "state": "",
            }
        )

    program = ("python3", "-m", "backup")
    return Restore(
        image=IMAGE,
        command=(*program, "restore", "--to", wanted.to, "--into", STORE_PATH, "--json"),
        recover=(*program, "state", "--to", wanted.to),
        environment={"CORTEX_STACK": stack, "BACKUP_CONFIG": "/dev/stdin", "BACKUP_SCRATCH": SCRATCH_PATH},
        memory_limit_bytes=round_up(need.memory_limit_bytes + RESTORE_BYTES, MIB),
        limit_s=need.startup_s + RESTORE_S,
        networks=() if kind in LOCAL else (NETWORK.name,),
        places=(*_target(place, kind, read_only=True), Place("scratch", SCRATCH_PATH)),
        secrets=() if given else (KEY.key,),
        configuration=configured,
    )


def _environment(stack: str, settings: Settings, *, startup_s: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{STATUS_PORT}/healthz"
    return {
        "CORTEX_STACK": stack,
        "BACKUP_CONFIG": f"{SECRETS_PATH}/{CONFIG}",
        "BACKUP_LISTEN": f"127.0.0.1:{STATUS_PORT}",
        "BACKUP_SCRATCH": SCRATCH_PATH,
        "BACKUP_REPORTS": REPORTS_PATH,
        "HEALTH_SERVER": "none",
        **guarding.of_any(settings, url=url, startup_s=startup_s, stop_grace_s=STOP_GRACE_S),
    }


def _target(place: Target, kind: TargetKind, *, read_only: bool) -> tuple[Place, ...]:
    match kind:
        case TargetKind.VOLUME:
            return (Place("backups", TARGET_PATH, read_only=read_only, outlives=True),)
        case TargetKind.DIRECTORY:
            return (Place("backups", TARGET_PATH, directory=place.directory or "", read_only=read_only),)
        case _:
            return ()


def _files(name: str, stack: str, settings: Settings, keys: tuple[str, ...]) -> FileVolume:
    def content(secrets: Mapping[str, str]) -> Mapping[str, str]:
        return {CONFIG: json.dumps(configuration(stack, settings, secrets), indent=1)}

    return FileVolume(name, SECRETS_PATH, (CONFIG,), keys, content)
