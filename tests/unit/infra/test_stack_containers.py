"""What the containers and networks of a stack are on Docker."""

from __future__ import annotations

import pytest

from infra import topologies
from infra.settings import load_settings
from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH, laid_down
from tests.unit.infra.rendered_stack import CONTAINER, NETWORK, dev, rendered

SERVICES = {
    Topology.SINGLE_NODE: ("server", "backup", "drill", "gateway"),
    Topology.CLIENT_SERVER: ("server", "backup", "drill", "cortex-dev-api-1", "cortex-dev-api-2", "gateway"),
}
MIB = 1 << 20


def services(topology):
    """The inputs of every container that stays."""
    return [dev(topology).one(CONTAINER, name).inputs for name in SERVICES[topology]]


@BOTH
def test_memory_is_all_a_container_gets(topology):
    need = topologies.sized(load_settings({"topology": topology.value}, "dev"))
    server, archiver, drill, *replicas, gateway = services(topology)
    assert server["memory"] == need.store.memory_limit_bytes // MIB
    assert server["memoryReservation"] == need.store.memory_reservation_bytes // MIB
    assert gateway["memory"] == need.gateway_memory_bytes // MIB
    for one in replicas:
        assert one["memory"] == need.replica.memory_limit_bytes // MIB
    assert archiver["memory"] == need.archiver_memory_bytes // MIB
    assert drill["memory"] == need.drill_memory_bytes // MIB
    assert archiver["cpus"] == "1"
    for one in (server, drill, *replicas, gateway):
        assert one["cpus"] == "2"
    for one in (server, archiver, drill, *replicas, gateway):
        assert one["memory"] == one["memorySwap"] >= one["memoryReservation"] > 0
        assert one["ulimits"] == [{"name": "nofile", "soft": 65_536, "hard": 65_536}]


@BOTH
def test_every_container_is_hardened(topology):
    for one in services(topology):
        assert one["user"] == "10001:10001"
        assert one["readOnly"] is True
        assert one["capabilities"] == {"drops": ["ALL"]}
        assert one["securityOpts"] == ["no-new-privileges"]
        assert one["tmpfs"] == {"/tmp": "rw,noexec,nosuid,nodev,size=67108864"}
        assert "privileged" not in one


@BOTH
def test_the_server_is_checked_waited_for_and_stopped_with_grace(topology):
    need = topologies.sized(load_settings({"topology": topology.value}, "dev")).store
    server = dev(topology).one(CONTAINER, "server").inputs
    assert server["healthcheck"] == {
        "tests": ["CMD", "/opt/cortex/bin/healthcheck"],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "startPeriod": "3m50s",
    }
    assert need.startup_s == 230
    assert server["stopTimeout"] == need.stop_grace_s


@BOTH
def test_every_container_is_checked_waited_for_and_stopped_with_the_grace_of_its_plan(topology):
    plan = laid_down(topology=topology)
    planned = [*plan.store_containers, *([plan.api.container] * 2 if plan.api else []), plan.gateway]
    for container, one in zip(planned, services(topology), strict=True):
        assert one["healthcheck"]["tests"] == ["CMD", *container.health.command]
        assert one["wait"] is True
        assert one["waitTimeout"] > container.health.start_period_s
        assert one["stopTimeout"] == one["destroyGraceSeconds"] == container.stop_grace_s
        assert one["restart"] == "unless-stopped"
        assert one["envs"] == sorted(f"{key}={value}" for key, value in container.environment.items())
        # Nothing but the drill runs another program than its image's own.
        assert one.get("command", []) == list(container.command)
        assert bool(container.command) is (container.name == "drill")


@BOTH
def test_logs_are_rotated(topology):
    for one in services(topology):
        assert (one["logDriver"], one["logOpts"]) == ("json-file", {"max-size": "10m", "max-file": "5"})


@BOTH
def test_nothing_but_the_gateway_has_ports_and_those_are_on_loopback(topology):
    *inside, gateway = services(topology)
    assert gateway["ports"] == [{"internal": 8443, "external": 8443, "ip": "127.0.0.1"}]
    assert not any("ports" in one for one in inside)
    published = [entry.request.name for entry in dev(topology).registered.values() if "ports" in entry.inputs]
    assert published == ["gateway"]


def test_more_ports_are_published_when_they_are_asked_for():
    raw = {"access": {"port": 443, "plain_port": 80}, "health": {"port": 9090}}
    ports = rendered(raw).one(CONTAINER, "gateway").inputs["ports"]
    assert [(port["internal"], port["external"], port["ip"]) for port in ports] == [
        (8443, 443, "127.0.0.1"),
        (8444, 80, "127.0.0.1"),
        (8405, 9090, "127.0.0.1"),
    ]


@BOTH
def test_networks_are_internal_but_for_the_one_with_the_ports(topology):
    made = {
        entry.inputs["name"]: entry.inputs["internal"]
        for entry in dev(topology).registered.values()
        if entry.request.type == NETWORK
    }
    expected = {"cortex-dev-edge": False, "cortex-dev-data": True}
    assert made == (expected if topology is Topology.SINGLE_NODE else expected | {"cortex-dev-app": True})


@BOTH
def test_each_container_is_on_its_networks_under_its_own_name(topology):
    connected = {
        name: {each["name"]: each["aliases"] for each in one["networksAdvanced"]}
        for name, one in zip(SERVICES[topology], services(topology), strict=True)
    }
    # A target on the same host takes no network.
    assert connected.pop("backup") == connected.pop("drill") == {}
    for name, one in zip(SERVICES[topology], services(topology), strict=True):
        assert one["networkMode"] == ("none" if name in {"backup", "drill"} else "bridge")
    if topology is Topology.SINGLE_NODE:
        assert connected == {
            "server": {"cortex-dev-data": ["api"]},
            "gateway": {"cortex-dev-edge": ["gateway"], "cortex-dev-data": ["gateway"]},
        }
    else:
        every = ("cortex-dev-edge", "cortex-dev-app", "cortex-dev-data")
        assert connected == {
            "server": {"cortex-dev-data": ["chroma"]},
            "cortex-dev-api-1": {"cortex-dev-app": ["api"]},
            "cortex-dev-api-2": {"cortex-dev-app": ["api"]},
            "gateway": {name: ["gateway"] for name in every},
        }


@BOTH
def test_a_container_runs_its_image_by_its_id(topology):
    expected = {
        Topology.SINGLE_NODE: ["api", "backup", "backup", "gateway"],
        Topology.CLIENT_SERVER: ["chroma", "backup", "backup", "api-remote", "api-remote", "gateway"],
    }
    assert [one["image"] for one in services(topology)] == [f"sha256:of-{name}" for name in expected[topology]]


@BOTH
def test_names_on_the_host_tell_what_a_container_is(topology):
    parts = ("server", "backup", "drill", "gateway")
    named = {name: dev(topology).one(CONTAINER, name).inputs.get("name") for name in parts}
    server = "cortex-dev-api" if topology is Topology.SINGLE_NODE else "cortex-dev-chroma"
    others = {name: f"cortex-dev-{name}" for name in parts[1:]}
    assert named == {"server": server, **others}


@BOTH
def test_labels_tell_what_stays_from_what_ends(topology):
    for entry in dev(topology).registered.values():
        if entry.request.type == CONTAINER:
            kind = "writer" if entry.request.name.endswith("-writer") else "service"
            assert {each["label"]: each["value"] for each in entry.inputs["labels"]} == {
                "cortex.kind": kind,
                "cortex.stack": "dev",
            }


@pytest.mark.parametrize(
    ("access", "url", "plain"),
    [
        ({}, "https://127.0.0.1:8443", None),
        ({"address": "0.0.0.0"}, "https://127.0.0.1:8443", None),
        ({"address": "::"}, "https://[::1]:8443", None),
        ({"address": "10.1.2.3", "port": 443}, "https://10.1.2.3:443", None),
        ({"plain_port": 8080}, "https://127.0.0.1:8443", "http://127.0.0.1:8080"),
        ({"address": "::1", "plain_port": 80}, "https://[::1]:8443", "http://[::1]:80"),
    ],
)
def test_the_urls_are_ones_a_client_on_the_host_can_use(access, url, plain):
    made = []
    rendered({"access": access}, made=made)
    assert [(stack.url, stack.plain_url) for stack in made] == [(url, plain)]
