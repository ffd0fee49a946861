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
from infra.sizing.coefficients import EMBEDDED, MIB, OWN_VECTORS
from infra.vocabulary import Role

API_PORT = 8080
STORE_PATH = "/data"
SECRETS_PATH = "/run/cortex/secrets"
TOKENS_FILE = "tokens.json"
PROBE = "/opt/cortex/bin/healthcheck"
# Three canaries may be missed before the check calls it old.
CANARY_MAX_MISSED = 3
# The API gives up on running requests a little before the platform would kill it.
STOP_MARGIN_S = 5
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
        port=Port(API_PORT, str(settings.access.address), settings.access.port),
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
        "CORTEX_STORE_PATH": STORE_PATH,
        "CORTEX_HOST": "0.0.0.0",  # noqa: S104 - inside the container; the plan's port says where it is published
        "CORTEX_PORT": str(API_PORT),
        "CORTEX_TOKENS_FILE": f"{SECRETS_PATH}/{TOKENS_FILE}",
        "CORTEX_MODEL": settings.corpus.model,
        "CORTEX_DIMENSIONS": str(corpus.dimensions),
        "CORTEX_MAX_BODY_BYTES": str(settings.api.max_body_mib * MIB),
        "CORTEX_MAX_BATCH_ROWS": str(corpus.batch_rows),
        "CORTEX_MAX_K": str(settings.api.max_k),
        "CORTEX_MAX_CONCURRENT_REQUESTS": str(settings.api.max_concurrent_requests),
        "CORTEX_MAX_COLLECTIONS": str(corpus.collections),
        "CORTEX_STOP_GRACE_S": str(need.stop_grace_s - STOP_MARGIN_S),
        "CORTEX_CANARY_INTERVAL_S": str(settings.health.canary_interval_s),
        "CORTEX_SIZING": json.dumps(shown, separators=(",", ":")),
        "HEALTH_URL": f"http://127.0.0.1:{API_PORT}/healthz",
        "HEALTH_STORE_PATH": STORE_PATH,
        "HEALTH_STORE_BYTES": str(disk_bytes),
        "HEALTH_MEMORY_PERCENT": str(settings.health.memory_percent),
        "HEALTH_DISK_PERCENT": str(settings.health.disk_percent),
        # The probe ends before the platform ends it, and can then say what it waited for.
        "HEALTH_TIMEOUT_S": f"{max(settings.health.timeout_s - 1, settings.health.timeout_s / 2):g}",
        "HEALTH_CANARY_MAX_AGE_S": str(CANARY_MAX_MISSED * settings.health.canary_interval_s),
    }
