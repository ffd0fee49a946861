"""Who can reach whom, and what is published on the host."""

from __future__ import annotations

from infra.plan import Network
from infra.settings import load_settings
from infra.topologies import gateway, parts, single_node
from infra.vocabulary import Purpose, Topology
from tests.unit.infra.laid_down import BOTH, laid_down, replica


def test_networks_keep_everything_from_the_store_but_the_gateway():
    one, two = laid_down(), laid_down(topology=Topology.CLIENT_SERVER)
    assert one.networks == single_node.NETWORKS == (Network("edge", internal=False), Network("data"))
    assert two.networks == (Network("edge", internal=False), Network("app"), Network("data"))
    for plan in (one, two):
        assert [network.name for network in plan.networks if not network.internal] == ["edge"]
        assert plan.store_group.server.networks == ("data",)
        assert plan.gateway.networks == tuple(network.name for network in plan.networks)
        # What has published ports must be on a network that leads out, and that one is its default.
        assert plan.gateway.networks[0] == "edge"
        assert [each.name for each in plan.containers if "edge" in each.networks] == ["gateway"]
    assert replica(two).networks == ("app",)


@BOTH
def test_a_container_is_found_by_the_name_that_the_gateway_asks_for(topology):
    settings = load_settings({"topology": topology.value}, "dev")
    plan = laid_down(topology=topology)
    behind = gateway.rendered("dev", settings).topology
    names = {container.name for container in plan.containers}
    assert behind.api.host in names
    assert behind.guard.host == plan.store_group.server.name
    assert behind.guard.port == int(plan.store_group.server.environment["HEALTH_LISTEN"].rpartition(":")[2])
    if topology is Topology.CLIENT_SERVER:
        assert behind.chroma.host == plan.store_group.server.name
        assert f":{behind.chroma.port}/" in plan.store_group.server.environment["HEALTH_URL"]
        assert behind.api.most >= 16  # the most that the settings allow
        url = replica(plan).environment["CORTEX_CHROMA_URL"]
        assert url == f"http://{plan.gateway.name}:{gateway.rendered('dev', settings).doors.inner_port}"


@BOTH
def test_the_gateways_own_ports_are_nobody_elses(topology):
    """A name without an address yet leads to the gateway's own container, where that port must be closed."""
    raw = {"topology": topology.value, "access": {"plain_port": 80}, "health": {"port": 9090}}
    doors = gateway.rendered("dev", load_settings(raw, "dev")).doors
    own = {doors.tls_port, doors.plain_port, doors.inner_port, doors.metrics_port}
    assert len(own) == 4
    assert not own & {parts.API_PORT, parts.CHROMA_PORT, parts.GUARD_PORT}


@BOTH
def test_nothing_but_the_gateway_is_published_and_that_on_loopback_unless_set_otherwise(topology):
    plan = laid_down(topology=topology)
    assert [container.name for container in plan.containers if container.ports] == ["gateway"]
    (port,) = plan.gateway.ports
    assert (port.purpose, port.host_address, port.host_port, port.container_port) == (
        Purpose.TLS,
        "127.0.0.1",
        8443,
        8443,
    )
    raw = {"access": {"address": "10.0.0.1", "port": 9000}, "health": {"port": 9090}}
    ports = laid_down(raw, topology=topology).gateway.ports
    assert [(port.purpose, port.host_address, port.host_port, port.container_port) for port in ports] == [
        (Purpose.TLS, "10.0.0.1", 9000, 8443),
        (Purpose.METRICS, "10.0.0.1", 9090, 8405),
    ]


@BOTH
def test_a_port_without_tls_is_there_only_if_it_was_asked_for(topology):
    raw = {"access": {"address": "::1", "plain_port": 80}}
    tls, plain = laid_down(raw, topology=topology).gateway.ports
    assert (tls.purpose, tls.host_address) == (Purpose.TLS, "::1")
    assert (plain.purpose, plain.host_address, plain.host_port, plain.container_port) == (
        Purpose.PLAIN,
        "::1",
        80,
        gateway.PLAIN_PORT,
    )
