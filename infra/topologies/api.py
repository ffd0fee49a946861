"""The API's containers: with the store in it, and one of several without."""

from __future__ import annotations

import json
from collections.abc import Mapping

from infra.gateway.tokens import hashed
from infra.plan import Container, FileVolume, Resources
from infra.settings import Settings
from infra.sizing import ReplicaSizing, Sizing
from infra.sizing.coefficients import MIB
from infra.topologies import guarding, inner
from infra.topologies.parts import (
    API,
    API_PORT,
    APP,
    DATA,
    GATEWAY,
    SECRETS_PATH,
    SERVER_STOP_MARGIN_S,
    STORE_PATH,
    health_check,
    open_files,
    store_resources,
)

INNER_CREDENTIAL_FILE, CHROMA_TOKEN_FILE = "inner-credential", "chroma-token"
URL = f"http://127.0.0.1:{API_PORT}/healthz"
# The gateway asks once a second whether a replica is well: so long it goes on after it said that it stops.
LINGER_S = 4
# With a store in it, it refuses connections at once, and takes what came in on those that were there just before.
EMBEDDED_LINGER_S = 0.5
# The longest wait that the API takes.
LONGEST_WAIT_S = 3_600
# While callers wait for a restart, a replica that says it is not well would turn them away.
AWAY_RESTARTS = 2


def embedded(stack: str, settings: Settings, need: Sizing, disk_bytes: int, hard_limit: int | None) -> Container:
    """The API with Chroma embedded: the server of the store."""
    return Container(
        name=API,
        image="api",
        environment={
            **_environment(stack, settings, need.corpus.dimensions, need.stop_grace_s),
            "CORTEX_STORAGE": "embedded",
            "CORTEX_STORE_PATH": STORE_PATH,
            "CORTEX_CANARY_INTERVAL_S": str(settings.health.canary_interval_s),
            # The gateway waits for a server that refuses connections; from then on the API lets callers wait itself.
            "CORTEX_START_WAIT_S": str(settings.gateway.restart_s),
            "CORTEX_STOP_LINGER_S": str(EMBEDDED_LINGER_S),
            "CORTEX_SIZING": shown(need, disk_bytes),
            "HEALTH_SERVER": "api",
            "HEALTH_SCHEMA_COMMAND": "python3 -m cortex_api.schema",
            **guarding.of_store(settings, need, disk_bytes, url=URL),
        },
        resources=store_resources(settings, need, hard_limit),
        stop_grace_s=need.stop_grace_s,
        health=health_check(settings, need.startup_s),
        networks=(DATA.name,),
        files=_files(settings, with_token=False),
    )


def replica(
    stack: str, settings: Settings, need: ReplicaSizing, *, store: Sizing, disk_bytes: int, hard_limit: int | None
) -> Container:
    """One API without a store.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        need: What a replica needs.
        store: What the store needs: a replica is not ready before it.
        disk_bytes: Size the store is planned for.
        hard_limit: Descriptors a container can be given.
    """
    stop_grace_s = need.stop_grace_s + LINGER_S
    startup_s = need.startup_s + store.startup_s
    return Container(
        name=API,
        image="api-remote",
        environment={
            **_environment(stack, settings, store.corpus.dimensions, need.stop_grace_s),
            "CORTEX_STORAGE": "remote",
            "CORTEX_CHROMA_URL": f"http://{GATEWAY}:{inner.PORT}",
            "CORTEX_CHROMA_TOKEN_FILE": f"{SECRETS_PATH}/{CHROMA_TOKEN_FILE}",
            "CORTEX_CHROMA_TIMEOUT_S": str(min(LONGEST_WAIT_S, settings.gateway.queue_s + settings.gateway.answer_s)),
            "CORTEX_CHROMA_AWAY_S": str(AWAY_RESTARTS * settings.gateway.restart_s),
            # One that was killed is sent requests until the gateway has seen it: they wait for the next process.
            "CORTEX_START_WAIT_S": str(settings.gateway.restart_s),
            "CORTEX_STOP_LINGER_S": str(LINGER_S),
            "CORTEX_SIZING": shown(store, disk_bytes),
            "HEALTH_SERVER": "none",
            **guarding.of_any(settings, url=URL, startup_s=startup_s, stop_grace_s=stop_grace_s),
        },
        resources=Resources(
            memory_limit_bytes=need.memory_limit_bytes,
            memory_reservation_bytes=need.memory_reservation_bytes,
            cpus=settings.api.cpus,
            open_files=open_files(need.open_files, hard_limit),
        ),
        stop_grace_s=stop_grace_s,
        health=health_check(settings, startup_s),
        networks=(APP.name,),
        files=_files(settings, with_token=True),
    )


def _environment(stack: str, settings: Settings, dimensions: int, stop_grace_s: int) -> dict[str, str]:
    api, corpus = settings.api, settings.corpus
    return {
        "CORTEX_STACK": stack,
        "CORTEX_HOST": "0.0.0.0",  # noqa: S104 - inside the container, on networks that only the gateway shares
        "CORTEX_PORT": str(API_PORT),
        "CORTEX_INNER_CREDENTIAL_FILE": f"{SECRETS_PATH}/{INNER_CREDENTIAL_FILE}",
        "CORTEX_MODEL": corpus.model,
        "CORTEX_DIMENSIONS": str(dimensions),
        "CORTEX_MAX_BODY_BYTES": str(api.max_body_mib * MIB),
        "CORTEX_MAX_BATCH_ROWS": str(corpus.batch_rows),
        "CORTEX_MAX_K": str(api.max_k),
        "CORTEX_MAX_CONCURRENT_REQUESTS": str(api.max_concurrent_requests),
        "CORTEX_MAX_COLLECTIONS": str(corpus.collections),
        "CORTEX_STOP_GRACE_S": str(stop_grace_s - SERVER_STOP_MARGIN_S),
    }


def shown(need: Sizing, disk_bytes: int) -> str:
    """What `/v1/status` tells of the sizing.

    Without the memory limit: the environment cannot change in place, the limit can, and the cgroup tells it.
    """
    corpus = need.corpus
    told = {
        "vectors": corpus.vectors,
        "dimensions": corpus.dimensions,
        "collections": corpus.collections,
        "memory_peak_bytes": need.memory_peak_bytes,
        "disk_bytes": disk_bytes,
    }
    return json.dumps(told, separators=(",", ":"))


def _files(settings: Settings, *, with_token: bool) -> FileVolume:
    """The credentials that the gateway may show, hashed; and the one to show to the gateway."""
    words = tuple(word.key for word in inner.words(settings))

    def content(secrets: Mapping[str, str]) -> Mapping[str, str]:
        made = {INNER_CREDENTIAL_FILE: "".join(f"{hashed(secrets[key])}\n" for key in words)}
        return {**made, CHROMA_TOKEN_FILE: secrets[words[0]]} if with_token else made

    names = (INNER_CREDENTIAL_FILE, *((CHROMA_TOKEN_FILE,) if with_token else ()))
    return FileVolume("api-secrets", SECRETS_PATH, names, words, content)
