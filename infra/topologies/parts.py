"""What the topologies' containers have in common: names, ports, places, networks."""

from __future__ import annotations

from infra.plan import HealthCheck, Network, Resources
from infra.settings import Settings
from infra.sizing import Sizing

API, CHROMA, GATEWAY, DOOR = "api", "chroma", "gateway", "door"
API_PORT, CHROMA_PORT, GUARD_PORT = 8080, 8000, 8081
STORE_PATH = "/data"
SECRETS_PATH = "/run/cortex/secrets"
PROBE = "/opt/cortex/bin/healthcheck"

# Callers reach the gateway, the gateway reaches the API, and nothing but the gateway reaches whoever holds the store.
# A store on a host of its own has its door there on EDGE, and Chroma behind it on DATA.
EDGE, APP, DATA = Network("edge", internal=False), Network("app"), Network("data")

# The server gives up on running requests before the guard would kill it, and the guard ends before the platform would.
SERVER_STOP_MARGIN_S = 7
GUARD_STOP_MARGIN_S = 2
# More than the formula asks for costs nothing, and spares a replacement of the container when the corpus grows.
OPEN_FILES_PREFERRED = 65_536


def open_files(need: int, hard_limit: int | None) -> int:
    """The descriptor limit of a container: generous, within what the host grants."""
    wanted = max(need, OPEN_FILES_PREFERRED)
    return wanted if hard_limit is None else min(wanted, hard_limit)


def store_resources(settings: Settings, need: Sizing, hard_limit: int | None) -> Resources:
    """What the server of the store may use: as computed, or as set by hand.

    Args:
        settings: The stack's settings.
        need: What the store needs.
        hard_limit: Descriptors a container can be given.
    """
    memory_limit_bytes = settings.limits.memory_bytes or need.memory_limit_bytes
    return Resources(
        memory_limit_bytes=memory_limit_bytes,
        memory_reservation_bytes=min(need.memory_reservation_bytes, memory_limit_bytes),
        cpus=settings.limits.cpus,
        open_files=open_files(need.open_files, hard_limit),
    )


def health_check(settings: Settings, start_period_s: int) -> HealthCheck:
    """The probe in every image, as often as the settings say."""
    health = settings.health
    return HealthCheck(
        command=(PROBE,),
        interval_s=health.interval_s,
        timeout_s=health.timeout_s,
        retries=health.retries,
        start_period_s=start_period_s,
    )
