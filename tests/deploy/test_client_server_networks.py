"""Nothing but the gateway is reached, from wherever one tries; and what is behind it reaches nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product

import pytest

from infra.topologies.parts import API_PORT, CHROMA_PORT, GUARD_PORT
from tests.deploy.deployment import Deployment, wait_for
from tests.deploy.outside import Foreigner, Place, addresses, answered_in, answered_on_host, foreigner

INNER_PORT, METRICS_PORT, TLS_PORT, PLAIN_PORT = 8001, 8405, 8443, 8444
PORTS = (22, 80, 443, CHROMA_PORT, INNER_PORT, API_PORT, GUARD_PORT, METRICS_PORT, TLS_PORT, PLAIN_PORT)
# The door with TLS says nothing to whoever does not speak it, as the questions here do.
GATEWAYS_PORTS = (INNER_PORT, GUARD_PORT, METRICS_PORT, PLAIN_PORT)
HOST, BEHIND = "host", ("chroma", "api-1", "api-2")


@dataclass(frozen=True)
class Reach:
    """Who reaches what.

    Attributes:
        stack: Every port of every container, by the container's addresses.
        published: The stack's ports on each of this host's addresses.
        strangers: Web servers of two containers that are not the stack's, by their names.
        host: A web server of this host, on each of its addresses.
        answered: By `host`, the names of strangers, and parts of the stack.
    """

    stack: set[Place]
    published: set[Place]
    strangers: dict[str, Place]
    host: set[Place]
    answered: dict[str, set[Place]]


@pytest.fixture(scope="module")
def reach(client_server: Deployment) -> Iterator[Reach]:
    """Everyone asks for everything, once."""
    stack = client_server
    stack.wait_healthy()
    own = [address for part in stack.parts() for address in addresses(stack, part).values()]
    assert len(own) == 3 + 2 + 1  # the gateway's, two replicas', Chroma's
    places = set(product(own, PORTS))
    hosts = bridges(stack)
    published = set(product([*hosts, "127.0.0.1"], published_ports(stack)))
    with foreigner(stack, "own") as one, foreigner(stack, "bridge") as two, host_server() as port:
        strangers = {each.name: (each.address, 8000) for each in (one, two)}
        on_host = set(product(hosts, [port]))
        every = {*places, *published, *strangers.values(), *on_host, *(("127.0.0.1", port) for port in PORTS)}
        for each in (one, two):
            serves(each)
        with ThreadPoolExecutor() as pool:
            inside = {each.name: pool.submit(each.answered, every) for each in (one, two)}
            inside |= {
                part: pool.submit(answered_in, stack, stack.container(part), every) for part in (*BEHIND, "gateway")
            }
            inside[HOST] = pool.submit(answered_on_host, every)
            answered = {who: found.result() for who, found in inside.items()}
        yield Reach(places, published, strangers, on_host, answered)


class host_server:  # noqa: N801 - a context manager
    """A web server on all addresses of this host; its port."""

    def __enter__(self) -> int:
        self._server = ThreadingHTTPServer(("0.0.0.0", 0), BaseHTTPRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return int(self._server.server_address[1])

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def serves(stranger: Foreigner) -> None:
    wait_for(lambda: stranger.answered([("127.0.0.1", 8000)]), f"{stranger.name} to serve", 30)


def bridges(stack: Deployment) -> list[str]:
    """This host's own addresses in the networks of Docker."""
    names = stack.docker(["network", "ls", "--filter", "driver=bridge", "--format", "{{.Name}}"]).split()
    networks = json.loads(stack.docker(["network", "inspect", *names]))
    return [each["Gateway"] for network in networks for each in network["IPAM"]["Config"] or () if "Gateway" in each]


def published_ports(stack: Deployment) -> set[int]:
    access = stack.settings["access"]
    return {access["port"], access["plain_port"], stack.settings["health"]["port"]}


def test_every_part_is_on_its_own_networks(client_server: Deployment) -> None:
    wanted = {"gateway": {"edge", "app", "data"}, "chroma": {"data"}, "api-1": {"app"}, "api-2": {"app"}}
    # Their target is a volume.
    wanted |= {"backup": set(), "drill": set()}
    assert {part: set(addresses(client_server, part)) for part in wanted} == wanted
    assert len(client_server.parts()) == len(wanted)
    for name, internal in (("edge", False), ("app", True), ("data", True)):
        network = json.loads(client_server.docker(["network", "inspect", f"cortex-{client_server.name}-{name}"]))[0]
        assert network["Internal"] is internal


def test_only_the_gateway_publishes_ports(client_server: Deployment) -> None:
    for part in client_server.parts():
        ports = client_server.inspect(part)["NetworkSettings"]["Ports"]
        held = {(each["HostIp"], int(each["HostPort"])) for port in ports.values() for each in port or ()}
        wanted = {("127.0.0.1", port) for port in published_ports(client_server)}
        assert held == (wanted if part.endswith("-gateway") else set())


def test_on_the_host_only_the_gateway_answers(client_server: Deployment, reach: Reach) -> None:
    edge = addresses(client_server, "gateway")["edge"]
    loopback = {("127.0.0.1", port) for port in published_ports(client_server)}
    with_tls = ("127.0.0.1", client_server.settings["access"]["port"])
    own = reach.stack | reach.published
    assert reach.answered[HOST] & own == {*product([edge], GATEWAYS_PORTS), *loopback} - {with_tls}


def test_from_another_network_nothing_answers(reach: Reach) -> None:
    for name in reach.strangers:
        assert reach.answered[name] & (reach.stack | reach.published) == set()
        # This one would see a way, as it sees the way to the host.
        assert reach.answered[name] & reach.host


def test_behind_the_gateway_nobody_reaches_strangers_or_the_host(reach: Reach) -> None:
    others = {*reach.strangers.values(), *reach.host, *reach.published}
    for part in BEHIND:
        assert reach.answered[part] & others == set()
    # The gateway does, in its outer network.
    assert reach.answered["gateway"] & reach.host


def test_the_parts_reach_each_other_by_the_gateway_only(client_server: Deployment, reach: Reach) -> None:
    api = {(addresses(client_server, part)["app"], API_PORT) for part in ("api-1", "api-2")}
    chroma = (addresses(client_server, "chroma")["data"], CHROMA_PORT)
    gateway = addresses(client_server, "gateway")
    itself = ("127.0.0.1", GUARD_PORT)
    assert reach.answered["chroma"] == {
        *(itself, ("127.0.0.1", CHROMA_PORT)),
        *(chroma, (chroma[0], GUARD_PORT)),
        *product([gateway["data"]], GATEWAYS_PORTS),
    }
    for part in ("api-1", "api-2"):
        assert reach.answered[part] == {
            *(itself, ("127.0.0.1", API_PORT)),
            *(api | {(address, GUARD_PORT) for address, _ in api}),
            *product([gateway["app"]], GATEWAYS_PORTS),
        }
    assert reach.answered["gateway"] >= {*api, chroma}
