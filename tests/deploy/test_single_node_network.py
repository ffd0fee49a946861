"""Nothing is reached but the gateway, where it was asked for, and the store's side has no way out."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from infra.topologies.backup import BACKUP, DRILL
from infra.topologies.parts import API, API_PORT, GATEWAY, GUARD_PORT
from tests.deploy.deployment import Deployment, wait_for
from tests.deploy.elsewhere import elsewhere
from tests.deploy.inside import ask
from tests.deploy.outside import addresses, answered_on_host, foreigner

TLS_PORT, PLAIN_PORT, METRICS_PORT = 8443, 8444, 8405
EDGE, DATA = "edge", "data"


def network(deployment: Deployment, name: str) -> str:
    return f"cortex-{deployment.name}-{name}"


def published_ports(deployment: Deployment) -> dict[int, int]:
    """Ports inside the gateway, and where the settings publish them."""
    access = deployment.settings["access"]
    return {
        TLS_PORT: access["port"],
        PLAIN_PORT: access["plain_port"],
        METRICS_PORT: deployment.settings["health"]["port"],
    }


def test_the_gateway_publishes_what_is_set_and_nobody_else_does(deployment: Deployment) -> None:
    published = {
        name: {key: held for key, held in deployment.inspect(name)["NetworkSettings"]["Ports"].items() if held}
        for name in deployment.parts()
    }
    assert published == {
        deployment.container(GATEWAY): {
            f"{inside}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(outside)}]
            for inside, outside in published_ports(deployment).items()
        },
        **{deployment.container(part): {} for part in (API, BACKUP, DRILL)},
    }


def test_published_ports_are_open_on_the_address_that_is_set_and_no_other(deployment: Deployment) -> None:
    for port in published_ports(deployment).values():
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=10)


def test_nothing_listens_inside_but_what_is_planned(deployment: Deployment) -> None:
    wanted = {API: {API_PORT, GUARD_PORT}, GATEWAY: {*published_ports(deployment), GUARD_PORT}}
    for part, ports in wanted.items():
        # 0A is LISTEN; addresses are hexadecimal.
        listening = {
            int(line.split()[1].rpartition(":")[2], 16)
            for name in ("tcp", "tcp6")
            for line in deployment.host(part=part).file(f"/proc/net/{name}").content_string.splitlines()[1:]
            if line.split()[3] == "0A" and not line.split()[1].startswith("0B00007F")  # Docker's own DNS, 127.0.0.11
        }
        assert listening == ports, part


def test_networks_are_the_stacks_own(deployment: Deployment) -> None:
    # The target of backups is a volume: neither who writes it nor who reads it goes anywhere.
    wanted = {API: {DATA}, GATEWAY: {EDGE, DATA}, BACKUP: set(), DRILL: set()}
    for part, networks in wanted.items():
        assert set(addresses(deployment, part)) == networks, part
    for name, members in ((EDGE, {GATEWAY}), (DATA, {API, GATEWAY})):
        inspected = json.loads(deployment.docker(["network", "inspect", network(deployment, name)]))[0]
        assert inspected["Internal"] == (name == DATA), name
        there = {each["Name"] for each in inspected["Containers"].values()}
        assert there == {deployment.container(part) for part in members}, name


def test_the_api_has_no_way_out(deployment: Deployment, tmp_path: Path) -> None:
    with elsewhere(tmp_path) as place:
        assert ask(deployment, GATEWAY, place.url).text == place.word, "there is something to reach"
        answer = ask(deployment, API, place.url)
    assert answer.status is None, answer


def test_the_api_answers_nobody_but_the_gateway(deployment: Deployment) -> None:
    api, gateway = addresses(deployment, API)[DATA], addresses(deployment, GATEWAY)
    doors = {(api, API_PORT), (api, GUARD_PORT)}
    others = {(gateway[DATA], port) for port in (PLAIN_PORT, METRICS_PORT, GUARD_PORT)}
    for host, port in doors:
        assert ask(deployment, GATEWAY, f"http://{host}:{port}/").status is not None, "there is something to reach"
    assert answered_on_host({*doors, *others, (gateway[EDGE], PLAIN_PORT)}) == {(gateway[EDGE], PLAIN_PORT)}
    with foreigner(deployment, "own") as stranger:
        wait_for(lambda: stranger.answered([("127.0.0.1", 8000)]), "the foreign container to serve", 30)
        assert stranger.answered({*doors, *others}) == set()
        # Nor in the callers' own network.
        deployment.docker(["network", "connect", network(deployment, EDGE), stranger.name])
        assert stranger.answered({*doors, *others, (gateway[EDGE], PLAIN_PORT)}) == {(gateway[EDGE], PLAIN_PORT)}
