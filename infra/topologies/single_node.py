"""single-node: the API with Chroma embedded, exactly one process on one store."""

from __future__ import annotations

import json

from infra import embedding_models, sizing
from infra.plan import (
    Container,
    HealthCheck,
    Plan,
    Port,
    Resources,
    SecretVolume,
    StoreGroup,
    StoreVolume,
    Token,
    TokenFile,
)
from infra.settings import Settings
from infra.sizing import Sizing, at_horizon
from infra.sizing.coefficients import COLLECTION_BYTES, EMBEDDED, GUARD_BYTES, MB, MIB, OWN_VECTORS
from infra.vocabulary import Role

API_PORT = 8080
GUARD_PORT = 8081
STORE_PATH = "/data"
SECRETS_PATH = "/run/cortex/secrets"
TOKENS_FILE = "tokens.json"
INNER_CREDENTIAL_FILE = "inner-credential"
PROBE = "/opt/cortex/bin/healthcheck"
# Three canaries may be missed before the check calls it old.
CANARY_MAX_MISSED = 3
# The API gives up on running requests before the guard would kill it, and the guard ends before the platform would.
API_STOP_MARGIN_S = 7
GUARD_STOP_MARGIN_S = 2
# Fewer collections than this are no burden, whatever the stack was planned for.
MANY_COLLECTIONS = 100
# More than the formula asks for costs nothing, and spares a replacement of the container when the corpus grows.
OPEN_FILES_PREFERRED = 65_536


def sized(settings: Settings) -> Sizing:
    """What the stack's corpus needs in this topology."""
    return sizing.size(
        at_horizon(settings.corpus),
        EMBEDDED if embedding_models.KNOWN[settings.corpus.model].runs_locally else OWN_VECTORS,
        concurrent_requests=settings.api.max_concurrent_requests,
        request_body_bytes=settings.api.max_body_mib * MIB,
        headroom_percent=settings.limits.headroom_percent,
        disk_percent=settings.health.disk_percent,
    )


def plan(stack: str, settings: Settings, need: Sizing, open_files_hard_limit: int | None) -> Plan:
    """Lay the topology down.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        need: Its sizing (`sized`).
        open_files_hard_limit: What the host grants at most; None when it is not known.

    Returns:
        The plan.
    """
    memory_limit_bytes = settings.limits.memory_bytes or need.memory_limit_bytes
    disk_bytes = settings.limits.disk_bytes or need.disk_bytes
    open_files = max(need.open_files, OPEN_FILES_PREFERRED)
    if open_files_hard_limit is not None:
        open_files = min(open_files, open_files_hard_limit)
    server = Container(
        name="api",
        image="api",
        environment=_environment(stack, settings, need, disk_bytes),
        resources=Resources(
            memory_limit_bytes=memory_limit_bytes,
            memory_reservation_bytes=min(need.memory_reservation_bytes, memory_limit_bytes),
            cpus=settings.limits.cpus,
            open_files=open_files,
        ),
        stop_grace_s=need.stop_grace_s,
        health=HealthCheck(
            command=(PROBE,),
            interval_s=settings.health.interval_s,
            timeout_s=settings.health.timeout_s,
            retries=settings.health.retries,
            start_period_s=need.startup_s,
        ),
        secrets=(SecretVolume("api-secrets", SECRETS_PATH, (TokenFile(TOKENS_FILE, ("admin",)),)),),
        ports=_ports(settings),
    )
    return Plan(
        stack=stack,
        store_group=StoreGroup("single-node", StoreVolume("store", STORE_PATH, disk_bytes), server),
        tokens=(Token("admin", Role.ADMIN, settings.tokens.generation),),
        images=("api",),
    )


def _environment(stack: str, settings: Settings, need: Sizing, disk_bytes: int) -> dict[str, str]:
    corpus = need.corpus
    # Without the memory limit: the environment cannot change in place, the limit can, and the cgroup tells it.
    shown = {
        "vectors": corpus.vectors,
        "dimensions": corpus.dimensions,
        "collections": corpus.collections,
        "memory_peak_bytes": need.memory_peak_bytes,
        "disk_bytes": disk_bytes,
    }
    return {
        "CORTEX_STACK": stack,
        "CORTEX_STORAGE": "embedded",
        "CORTEX_STORE_PATH": STORE_PATH,
        "CORTEX_HOST": "0.0.0.0",  # noqa: S104 - inside the container; the plan's port says where it is published
        "CORTEX_PORT": str(API_PORT),
        "CORTEX_INNER_CREDENTIAL_FILE": f"{SECRETS_PATH}/{INNER_CREDENTIAL_FILE}",
        "CORTEX_MODEL": settings.corpus.model,
        "CORTEX_DIMENSIONS": str(corpus.dimensions),
        "CORTEX_MAX_BODY_BYTES": str(settings.api.max_body_mib * MIB),
        "CORTEX_MAX_BATCH_ROWS": str(corpus.batch_rows),
        "CORTEX_MAX_K": str(settings.api.max_k),
        "CORTEX_MAX_CONCURRENT_REQUESTS": str(settings.api.max_concurrent_requests),
        "CORTEX_MAX_COLLECTIONS": str(corpus.collections),
        "CORTEX_STOP_GRACE_S": str(need.stop_grace_s - API_STOP_MARGIN_S),
        "CORTEX_CANARY_INTERVAL_S": str(settings.health.canary_interval_s),
        "CORTEX_SIZING": json.dumps(shown, separators=(",", ":")),
        **_guard(settings, need, disk_bytes),
    }


def _guard(settings: Settings, need: Sizing, disk_bytes: int) -> dict[str, str]:
    """What the guard in the container is told; docs/health.md lists it."""
    health, maintenance = settings.health, settings.maintenance
    memory_model = {
        "base_bytes": need.process.base_bytes + GUARD_BYTES,
        "vector_overhead_bytes": need.process.vector_overhead_bytes,
        "collection_bytes": COLLECTION_BYTES,
        "work_bytes": need.work_bytes,
    }
    return {
        "HEALTH_SERVER": "api",
        "HEALTH_SCHEMA_COMMAND": "python3 -m cortex_api.schema",
        "HEALTH_URL": f"http://127.0.0.1:{API_PORT}/healthz",
        "HEALTH_LISTEN": f"0.0.0.0:{GUARD_PORT}",
        "HEALTH_STORE_PATH": STORE_PATH,
        "HEALTH_STORE_BYTES": str(disk_bytes),
        "HEALTH_MEMORY_PERCENT": str(health.memory_percent),
        "HEALTH_MEMORY_RECYCLE_PERCENT": str(health.memory_recycle_percent),
        "HEALTH_MEMORY_MODEL": json.dumps(memory_model, separators=(",", ":")),
        "HEALTH_ON_MEMORY_SHORT": health.on_memory_short,
        "HEALTH_DISK_PERCENT": str(health.disk_percent),
        "HEALTH_DISK_STOP_PERCENT": str(health.disk_stop_percent),
        "HEALTH_OPEN_FILES": str(need.open_files),
        "HEALTH_MAX_COLLECTIONS": str(max(MANY_COLLECTIONS, need.corpus.collections)),
        # The probe ends before the platform ends it, and can then say what it waited for.
        "HEALTH_TIMEOUT_S": f"{max(health.timeout_s - 1, health.timeout_s / 2):g}",
        "HEALTH_CANARY_INTERVAL_S": str(health.canary_interval_s),
        "HEALTH_CANARY_MAX_AGE_S": str(CANARY_MAX_MISSED * health.canary_interval_s),
        "HEALTH_WEDGED_AFTER_S": str(health.wedged_after_s),
        "HEALTH_CRASHES": str(health.crashes),
        "HEALTH_CRASH_WINDOW_S": str(health.crash_window_s),
        "HEALTH_START_LIMIT_S": str(need.startup_s),
        "HEALTH_STOP_GRACE_S": str(need.stop_grace_s - GUARD_STOP_MARGIN_S),
        "HEALTH_MAINTENANCE": maintenance.window,
        "HEALTH_MAINTENANCE_LIMIT_S": str(60 * maintenance.limit_minutes),
        "HEALTH_COMPACT_SHARE": f"{maintenance.compact_percent / 100:g}",
        "HEALTH_RENEW_SHARE": f"{maintenance.renew_percent / 100:g}",
        "HEALTH_SCRUB_INTERVAL_S": str(3600 * maintenance.scrub_interval_hours),
        "HEALTH_SCRUB_BYTES_PER_S": str(maintenance.scrub_mb_per_s * MB),
    }


def _ports(settings: Settings) -> tuple[Port, ...]:
    address = str(settings.access.address)
    api = Port(API_PORT, address, settings.access.port)
    return (api,) if settings.health.port is None else (api, Port(GUARD_PORT, address, settings.health.port))
