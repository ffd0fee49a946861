"""What happens to a stack under load: everything that is done to it on purpose, and three kinds of kills."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.topologies.parts import CHROMA, GATEWAY
from tests.bench.mixed_load import MixedLoad
from tests.deploy.deployment import Deployment, wait_for

API_SOURCE = "images/api/src/cortex_api/__init__.py"
GATEWAY_SOURCE = "images/gateway/build/check.py"
SHORT_S = 30


@dataclass(frozen=True)
class Scene:
    """The stack, its load, and the checkout that the stack is made from."""

    stack: Deployment
    load: MixedLoad
    release: Path


@dataclass(frozen=True)
class Event:
    """Something that happens.

    Attributes:
        name: For the reader.
        happen: Makes it happen, and returns when it is over.
        spares: What must not fail meanwhile: everything, what may be repeated, or nothing.
    """

    name: str
    happen: Callable[[Scene], None]
    spares: str = "everything"


def new_api_image(scene: Scene) -> None:
    """A release with another API: its replicas are replaced one by one before the old ones go."""
    before = replica_ids(scene.stack)
    _change(scene.release / API_SOURCE)
    scene.stack.up()
    _expect(not before & replica_ids(scene.stack), "every replica is a new one")


def replicas(count: int) -> Callable[[Scene], None]:
    """Another number of replicas."""

    def happen(scene: Scene) -> None:
        scene.stack.set({"api": {**scene.stack.settings.get("api", {}), "replicas": count}})
        scene.stack.up()
        _expect(len(replica_ids(scene.stack)) == count, f"there are {count} replicas")

    return happen


def token_rotation(scene: Scene) -> None:
    """Add a word, deploy, hand it out, remove the former one, deploy."""
    stack, tokens = scene.stack, scene.stack.settings["tokens"]
    writer = tokens["writer"]
    former = scene.load.token
    (generation,) = writer.get("generations", [1])
    for generations in ([generation, generation + 1], [generation + 1]):
        stack.set({"tokens": {**tokens, "writer": {**writer, "generations": generations}}})
        stack.up()
        # Known to the gateway that runs before it is handed out.
        wait_for(lambda: accepts(stack, stack.token("writer")), "the new word to be accepted", SHORT_S)
        scene.load.token = stack.token("writer")
    wait_for(lambda: not accepts(stack, former), "the former word to be refused", SHORT_S)


def certificate_renewal(scene: Scene) -> None:
    """Another certificate of the same authority."""
    before = served_certificate(scene.stack)
    tls = scene.stack.settings.get("tls", {})
    scene.stack.set({"tls": {**tls, "generation": tls.get("generation", 1) + 1}})
    scene.stack.up()
    wait_for(lambda: served_certificate(scene.stack) != before, "the new certificate to be served", SHORT_S)


def chroma_replaced(scene: Scene) -> None:
    """A setting of the store's server: its container is replaced by `up`."""
    before = scene.stack.inspect(CHROMA)["Id"]
    maintenance = scene.stack.settings.get("maintenance", {})
    scene.stack.set({"maintenance": {**maintenance, "scrub_mb_per_s": maintenance.get("scrub_mb_per_s", 20) + 1}})
    scene.stack.up()
    _expect(scene.stack.inspect(CHROMA)["Id"] != before, "the container is a new one")


def chroma_restarted(scene: Scene) -> None:
    """The container of the store's server is stopped in order, and started."""
    scene.stack.docker(["restart", scene.stack.container(CHROMA)])


def replica_killed(scene: Scene) -> None:
    """SIGKILL of one replica's container; Docker starts it again."""
    _kill_container(scene.stack, "api-1")


def chroma_server_killed(scene: Scene) -> None:
    """SIGKILL of Chroma's process; its guard starts another."""
    lines = scene.stack.docker(["top", scene.stack.container(CHROMA), "-o", "pid,args"]).splitlines()[1:]
    (pid,) = [int(line.split()[0]) for line in lines if "chroma_server" in line and "guard" not in line]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the killed server to be gone", SHORT_S)


def chroma_container_killed(scene: Scene) -> None:
    """SIGKILL of the guard, and of Chroma with it; Docker starts the container again."""
    _kill_container(scene.stack, CHROMA)


def new_gateway_image(scene: Scene) -> None:
    """A release with another gateway: two cannot have the same ports, so there is a gap."""
    before = scene.stack.inspect(GATEWAY)["Image"]
    _change(scene.release / GATEWAY_SOURCE)
    scene.stack.up()
    _expect(scene.stack.inspect(GATEWAY)["Image"] != before, "the image is a new one")


PLANNED = (
    Event("API image", new_api_image),
    Event("replicas 2 to 4", replicas(4)),
    Event("replicas 4 to 2", replicas(2)),
    Event("token rotation", token_rotation),
    Event("certificate renewal", certificate_renewal),
    Event("Chroma replaced by up", chroma_replaced),
    Event("Chroma restarted", chroma_restarted),
)
KILLS = (
    Event("SIGKILL of a replica", replica_killed),
    Event("SIGKILL of Chroma", chroma_server_killed, spares="repeatable"),
    Event("SIGKILL of Chroma's container", chroma_container_killed, spares="repeatable"),
)
GAP = Event("gateway image (the one gap)", new_gateway_image, spares="nothing")


def replica_ids(stack: Deployment) -> set[str]:
    """The replicas' containers."""
    return {stack.inspect(part)["Id"] for part in stack.parts() if f"-{stack.name}-api-" in part}


def served_certificate(stack: Deployment) -> bytes:
    """What a new connection is shown."""
    context = stack.trust()
    with (
        socket.create_connection(("127.0.0.1", stack.settings["access"]["port"]), timeout=SHORT_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def accepts(stack: Deployment, token: str) -> bool:
    """Whether the gateway takes a token."""
    with stack.client(token) as client:
        return client.get("/api/v2/heartbeat").status_code == 200


def _kill_container(stack: Deployment, part: str) -> None:
    name, before = stack.container(part), stack.inspect(part)
    os.kill(before["State"]["Pid"], signal.SIGKILL)
    wait_for(
        lambda: stack.inspect(name)["RestartCount"] > before["RestartCount"], f"Docker to start {name} again", SHORT_S
    )


def _change(source: Path) -> None:
    source.write_text(f"{source.read_text()}\n# {secrets.token_hex(8)}\n")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"expected: {what}")
