"""Chroma and its store on another Docker host, which is reached over SSH: a second daemon with data of its own."""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from rich.console import Console

from infra import names
from infra.topologies.backup import BACKUP, DRILL
from infra.topologies.parts import API, CHROMA, DOOR, GATEWAY
from ops import lifecycle, status
from ops.docker_host import DockerHost
from tests.deploy import registry, rows
from tests.deploy.conftest import SETTINGS
from tests.deploy.deployment import Deployment, free_port, free_ports, wait_for
from tests.deploy.private_daemon import ADDRESS, private_daemon
from tests.deploy.ssh_server import ssh_server

pytestmark = pytest.mark.full

COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
VECTORS = {"ids": ["a", "b"], "embeddings": [[1.0, 0.0], [0.0, 1.0]], "documents": ["first", "second"]}


class TwoHosts(Deployment):
    """A stack on two hosts."""

    @property
    def settings_file(self) -> Any:
        """Where the test has them."""
        return self.config_file

    @property
    def far(self) -> DockerHost:
        """The store's own host."""
        return self.hosts()[1]

    def inspect(self, part: str | None = None) -> dict[str, Any]:
        """What the container's own host says of it."""
        name = self.container(part)
        inspected: dict[str, Any] = json.loads(self.host_of(name).docker(["inspect", name]))[0]
        return inspected


@pytest.fixture(scope="module")
def hosts(base_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The stack, its store moved to the other host; `daemon` and `server` are that host's Docker and SSH."""
    folder = tmp_path_factory.mktemp("store-host")
    keys = folder / "keys"
    keys.mkdir()
    with (
        registry.running(folder) as images,
        private_daemon(folder) as daemon,
        ssh_server(keys, {**os.environ, "DOCKER_HOST": daemon.address}) as server,
    ):
        stack = TwoHosts(f"test-{secrets.token_hex(4)}", folder / "stack", base_environment)
        tls, metrics = free_ports(2)
        stack.set(
            {
                **SETTINGS,
                "topology": "client-server",
                "access": {"port": tls},
                "health": {**SETTINGS["health"], "port": metrics},
                "registry": {"address": images, "username": registry.USER},
            }
        )
        stack.run("config", "set", "--secret", "--path", "cortex:registry.password", registry.PASSWORD)
        try:
            stack.up()
            with stack.client() as client:
                ok(client.post(COLLECTIONS, json={"name": "moved"}))
            port = free_port()
            place = {"docker": server.url, "address": ADDRESS, "listen": ADDRESS, "port": port}
            move(stack, {**place, "ssh_options": server.options}, daemon.address)
            settings = stack.config_file.read_text()
            yield SimpleNamespace(stack=stack, server=server, settings=settings, far=stack.far, port=port)
        finally:
            stack.purge()
            for each in ("cortex-api-remote", "cortex-chroma", "cortex-gateway"):
                stack.docker(["image", "prune", "--force", "--filter", f"label=org.opencontainers.image.title={each}"])


@pytest.fixture
def changed(hosts: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """Settings may be changed for one test; nothing comes of it."""
    yield hosts
    hosts.stack.config_file.write_text(hosts.settings)


def move(stack: TwoHosts, place: dict[str, Any], daemon: str) -> None:
    """Move the store as docs/topologies.md says; what would leave it behind is refused on the way."""
    written = yaml.safe_load(stack.config_file.read_text())
    written["config"]["cortex:store_host"] = place
    stack.config_file.write_text(yaml.safe_dump(written))
    refused = stack.run("up", "--yes", "--skip-preview", check=False)
    assert refused.returncode
    assert "would leave the store behind: it is in use on the gateway's own host" in refused.stdout
    stack.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    refused = stack.run("up", "--yes", "--skip-preview", check=False)
    assert refused.returncode
    assert f"docker volume create {stack.volume}" in refused.stdout
    there = {**stack.environment, "DOCKER_HOST": daemon}
    image = stack.docker(
        ["images", "--quiet", "--filter", "label=org.opencontainers.image.title=cortex-chroma"]
    ).split()[0]
    packed = subprocess.run(["docker", "save", image], env=stack.environment, capture_output=True, check=True).stdout
    subprocess.run(["docker", "load"], env=there, input=packed, check=True, capture_output=True)
    tar = ["docker", "run", "--rm", "--interactive", "--user=0", "--network=none", f"--volume={stack.volume}:/data"]
    tar += ["--entrypoint=tar", image, "--numeric-owner", "-C", "/data"]
    copied = subprocess.run([*tar, "--create", "."], env=stack.environment, capture_output=True, check=True).stdout
    subprocess.run([*tar, "--extract"], env=there, input=copied, check=True)
    stack.up()
    # What was moved from stays, until somebody is sure.
    stack.docker(["volume", "rm", stack.volume])


def made(stack: TwoHosts) -> dict[str, Any]:
    """URN → id of everything in the state."""
    resources = json.loads(stack.run("stack", "export").stdout)["deployment"]["resources"]
    return {each["urn"]: each.get("id") for each in resources}


def ok(answer: httpx.Response) -> Any:
    """What it says."""
    assert answer.is_success, answer.text
    return answer.json()


def door_url(port: int) -> str:
    return f"https://{ADDRESS}:{port}"


def test_the_store_is_there_and_all_else_is_here(hosts: SimpleNamespace) -> None:
    stack = hosts.stack
    stack.wait_healthy()
    near, far = stack.hosts()
    assert sorted(far.containers(stack.name, running=True)) == [
        names.on_host(stack.name, part) for part in (BACKUP, CHROMA, DOOR, DRILL)
    ]
    here = near.containers(stack.name, running=True)
    assert len(here) == 3
    assert {each.removeprefix(names.on_host(stack.name)).split("-")[1] for each in here} == {API, GATEWAY}
    assert stack.volume in far.docker(["volume", "ls", "--quiet"]).split()
    assert stack.volume not in near.docker(["volume", "ls", "--quiet"]).split()


def test_what_is_written_either_way_is_found_either_way(hosts: SimpleNamespace) -> None:
    with hosts.stack.client() as client:
        assert [each["name"] for each in ok(client.get(COLLECTIONS))] == ["moved"]
        native = ok(client.post(COLLECTIONS, json={"name": "native", "get_or_create": True}))
        path = f"{COLLECTIONS}/{native['id']}"
        ok(client.post(f"{path}/upsert", json=VECTORS))
        found = ok(client.post(f"{path}/query", json={"query_embeddings": [[0.9, 0.1]], "n_results": 1}))
        assert found["ids"] == [["a"]]
        ok(client.post("/v1/collections", json={"name": "texts"}))
        documents = [{"id": "x", "text": "the sea is blue"}, {"id": "y", "text": "bread is baked"}]
        ok(client.post("/v1/collections/texts/documents", json={"documents": documents}))
        assert "sea" in str(ok(client.post("/v1/collections/texts/query", json={"texts": ["ocean"], "k": 1})))
        assert ok(client.get("/v1/collections/native/count")) == {"count": 2}


def test_nothing_but_the_door_answers_there_and_only_to_the_gateway(hosts: SimpleNamespace) -> None:
    stack = hosts.stack
    assert not any(stack.inspect(CHROMA)["NetworkSettings"]["Ports"].values())
    bound = {port: at for port, at in stack.inspect(DOOR)["NetworkSettings"]["Ports"].items() if at}
    assert bound == {"8443/tcp": [{"HostIp": ADDRESS, "HostPort": str(hosts.port)}]}
    trust = ssl.create_default_context(cadata=stack.authority)
    with httpx.Client(base_url=door_url(hosts.port), verify=trust, trust_env=False) as stranger:
        for token in ("", "wrong", stack.token()):
            for path in ("/api/v2/heartbeat", "/guard/readyz", "/guard/metrics", "/healthz"):
                assert stranger.get(path, headers={"x-chroma-token": token}).status_code == 401
    with pytest.raises(httpx.HTTPError):
        httpx.get(door_url(hosts.port).replace("https", "http"), trust_env=False)


def test_the_guard_over_there_is_asked_from_here(hosts: SimpleNamespace) -> None:
    with hosts.stack.metrics_client() as client:
        assert client.get("/guard/readyz").status_code == 200
        assert "cortex_store" in client.get("/guard/metrics").text


def test_no_secret_is_shown_there(hosts: SimpleNamespace) -> None:
    stack = hosts.stack
    exported = json.loads(stack.run("stack", "export", "--show-secrets").stdout)["deployment"]["resources"]
    words = {
        json.loads(each["outputs"]["value"]["plaintext"])
        for each in exported
        if each["type"].endswith("cortex:RandomWord")
    }
    assert len(words) >= 2
    everything = stack.far.docker(["ps", "--all", "--quiet"]).split()
    shown = stack.far.docker(["inspect", *everything]) + "".join(
        stack.far.docker(["logs", stack.container(part)]) for part in (BACKUP, CHROMA, DOOR, DRILL)
    )
    assert "PRIVATE KEY" not in shown
    assert not [word for word in words if word in shown]
    assert registry.PASSWORD not in stack.run("stack", "export").stdout


def test_a_second_preview_is_empty(hosts: SimpleNamespace) -> None:
    assert hosts.stack.preview_is_empty()


def test_a_store_that_would_be_left_behind_is_refused_and_nothing_is_changed(changed: SimpleNamespace) -> None:
    stack = changed.stack
    before = made(stack)
    stack.run("config", "rm", "--path", "cortex:store_host")
    refused = stack.run("up", "--yes", "--skip-preview", check=False)
    assert refused.returncode
    assert "would leave the store behind: it is in use on ssh://" in refused.stdout
    assert "make destroy" in refused.stdout
    assert made(stack) == before


def test_a_host_that_does_not_answer_is_refused_before_anything_is_touched(changed: SimpleNamespace) -> None:
    stack = changed.stack
    stack.run("config", "set", "--path", "cortex:store_host.docker", f"ssh://deploy@127.0.0.1:{free_port()}")
    refused = stack.run("preview", check=False)
    assert refused.returncode
    assert "no Docker daemon answers at ssh://deploy@127.0.0.1:" in refused.stdout + refused.stderr


def test_the_host_may_be_called_otherwise(changed: SimpleNamespace) -> None:
    """Another name of the same host: its containers are found there, and nothing is made anew."""
    stack = changed.stack
    stack.run("config", "set", "--path", "cortex:store_host.docker", changed.server.url.replace("deploy@", "other@"))
    said = stack.run("preview", "--json").stdout
    steps = [each["op"] for each in json.loads(said)["steps"] if "providers" not in each["urn"]]
    assert set(steps) == {"same"}


def test_a_kill_of_chroma_makes_callers_wait(hosts: SimpleNamespace) -> None:
    stack = hosts.stack
    answered: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with stack.client() as client:
            while not stop.is_set():
                answered.append(client.get("/v1/collections/native/count").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_for(lambda: len(answered) > 5, "requests before")
        before = stack.inspect(CHROMA)["RestartCount"]
        # The guard itself, and so the container: its host starts it again.
        os.kill(stack.inspect(CHROMA)["State"]["Pid"], signal.SIGKILL)
        wait_for(lambda: stack.inspect(CHROMA)["RestartCount"] > before, "the container to be started again")
        done = len(answered)
        wait_for(lambda: len(answered) > done + 5, "requests after")
    finally:
        stop.set()
        asking.join(120)
    assert set(answered) == {200}


def test_the_command_line_sees_both_hosts(hosts: SimpleNamespace) -> None:
    stack = hosts.stack
    stack.wait_healthy()
    told, found = io.StringIO(), status.look(stack)
    status.show(found, Console(file=told, width=200))
    assert found.is_well
    for part in (CHROMA, DOOR, GATEWAY):
        assert names.on_host(stack.name, part) in told.getvalue()
    with stack.client() as client:
        rows.make(client, "kept-here", 2)
    parts = stack.parts()
    assert {names.on_host(stack.name, each) for each in (BACKUP, DRILL)} < set(parts)
    assert sorted(stack.stop()) == sorted(parts)
    assert stack.containers(running=True) == []
    assert sorted(stack.start_stopped()) == sorted(parts)
    stack.wait_healthy()
    with stack.client() as client:
        assert rows.read(client, "kept-here") == rows.wanted(2)


def test_purge_leaves_nothing_but_the_backups(hosts: SimpleNamespace) -> None:
    stack = hosts.stack
    near, far = DockerHost(stack.environment), hosts.far
    lifecycle.purge(stack, Console(file=io.StringIO()))
    left = [
        name
        for host in (near, far)
        for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"])
        for name in host.docker([*kind, "--format", "{{.Names}}" if kind[0] == "ps" else "{{.Name}}"]).split()
        if name.startswith(names.on_host(stack.name))
    ]
    assert set(left) == {names.on_host(stack.name, "backups")}
