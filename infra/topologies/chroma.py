"""Chroma's own server: the server of the store in client-server."""

from __future__ import annotations

from infra.plan import Container
from infra.settings import Settings
from infra.sizing import Sizing
from infra.topologies import guarding
from infra.topologies.parts import CHROMA, CHROMA_PORT, DATA, health_check, store_resources

URL = f"http://127.0.0.1:{CHROMA_PORT}/api/v2/heartbeat"


def server(stack: str, settings: Settings, need: Sizing, disk_bytes: int, hard_limit: int | None) -> Container:
    """The container. Nothing shares a network with it but the gateway."""
    return Container(
        name=CHROMA,
        image="chroma",
        environment={
            "CORTEX_STACK": stack,
            "HEALTH_SERVER": "chroma",
            **guarding.of_store(settings, need, disk_bytes, url=URL),
        },
        resources=store_resources(settings, need, hard_limit),
        stop_grace_s=need.stop_grace_s,
        health=health_check(settings, need.startup_s),
        networks=(DATA.name,),
    )
