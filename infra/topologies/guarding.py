"""What the guard in a container is told; docs/health.md lists it."""

from __future__ import annotations

import json

from infra.settings import Settings
from infra.sizing import Sizing
from infra.sizing.coefficients import COLLECTION_BYTES, GUARD_BYTES, MB
from infra.topologies.parts import GUARD_PORT, GUARD_STOP_MARGIN_S, STORE_PATH
from infra.vocabulary import TargetKind

# Three canaries may be missed before the check calls it old.
CANARY_MAX_MISSED = 3
# Fewer collections than this are no burden, whatever the stack was planned for.
MANY_COLLECTIONS = 100


def of_any(settings: Settings, *, url: str, startup_s: int, stop_grace_s: int) -> dict[str, str]:
    """What every guard is told.

    Args:
        settings: The stack's settings.
        url: Where its server says that it is well.
        startup_s: What the server may take to be ready.
        stop_grace_s: What the platform gives the container to stop.
    """
    health = settings.health
    return {
        "HEALTH_URL": url,
        "HEALTH_LISTEN": f"0.0.0.0:{GUARD_PORT}",
        "HEALTH_MEMORY_PERCENT": str(health.memory_percent),
        "HEALTH_MEMORY_RECYCLE_PERCENT": str(health.memory_recycle_percent),
        # The probe ends before the platform ends it, and can then say what it waited for.
        "HEALTH_TIMEOUT_S": f"{max(health.timeout_s - 1, health.timeout_s / 2):g}",
        "HEALTH_WEDGED_AFTER_S": str(health.wedged_after_s),
        "HEALTH_CRASHES": str(health.crashes),
        "HEALTH_CRASH_WINDOW_S": str(health.crash_window_s),
        "HEALTH_START_LIMIT_S": str(startup_s),
        "HEALTH_STOP_GRACE_S": str(stop_grace_s - GUARD_STOP_MARGIN_S),
    }


def of_store(settings: Settings, need: Sizing, disk_bytes: int, *, url: str) -> dict[str, str]:
    """What the guard of a store is told.

    Args:
        settings: The stack's settings.
        need: What the store needs.
        disk_bytes: Size it is planned for.
        url: Where its server says that it is well.
    """
    health, maintenance = settings.health, settings.maintenance
    memory_model = {
        "base_bytes": need.process.base_bytes + GUARD_BYTES,
        "vector_overhead_bytes": need.process.vector_overhead_bytes,
        "collection_bytes": COLLECTION_BYTES,
        "work_bytes": need.work_bytes,
    }
    return {
        **of_any(settings, url=url, startup_s=need.startup_s, stop_grace_s=need.stop_grace_s),
        "HEALTH_STORE_PATH": STORE_PATH,
        "HEALTH_STORE_BYTES": str(disk_bytes),
        "HEALTH_MEMORY_MODEL": json.dumps(memory_model, separators=(",", ":")),
        "HEALTH_ON_MEMORY_SHORT": health.on_memory_short,
        "HEALTH_DISK_PERCENT": str(health.disk_percent),
        "HEALTH_DISK_STOP_PERCENT": str(health.disk_stop_percent),
        "HEALTH_OPEN_FILES": str(need.open_files),
        "HEALTH_MAX_COLLECTIONS": str(max(MANY_COLLECTIONS, need.corpus.collections)),
        "HEALTH_CANARY_INTERVAL_S": str(health.canary_interval_s),
        "HEALTH_CANARY_MAX_AGE_S": str(CANARY_MAX_MISSED * health.canary_interval_s),
        "HEALTH_MAINTENANCE": maintenance.window,
        "HEALTH_MAINTENANCE_LIMIT_S": str(60 * maintenance.limit_minutes),
        "HEALTH_COMPACT_SHARE": f"{maintenance.compact_percent / 100:g}",
        "HEALTH_RENEW_SHARE": f"{maintenance.renew_percent / 100:g}",
        "HEALTH_SCRUB_INTERVAL_S": str(3600 * maintenance.scrub_interval_hours),
        "HEALTH_BACKUPS": str(settings.backup.target is not TargetKind.NONE).lower(),
        "HEALTH_SCRUB_BYTES_PER_S": str(maintenance.scrub_mb_per_s * MB),
    }
