"""The settings of a store on a host of its own: what is refused, what is advised, what the plan makes of them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from infra import feasibility, topologies
from infra.feasibility import Host
from infra.gateway import files
from infra.plan import AUTHORITY, DOOR_CERTIFICATE
from infra.settings import Settings, SettingsError, load_settings
from infra.settings.rules import warnings
from tests.unit.infra.laid_down import values

SSH = {"docker": "ssh://deploy@db1.example.com:2222", "address": "10.0.0.5"}
TCP = {"docker": "tcp://10.0.0.5:2376", "address": "10.0.0.5"}
PEMS = {"ca": "an authority", "client_certificate": "a certificate", "client_key": "a key"}
BASE = {"topology": "client-server", "registry": {"address": "registry.example.com"}}
ROOMY = Host(memory_bytes=1 << 50, free_disk_bytes=1 << 50, open_files_hard_limit=1 << 20, daemon="one")


def loaded(place: dict[str, Any] = SSH, **raw: Any) -> Settings:
    return load_settings({**BASE, "store_host": place, **raw}, "dev")


def refused(raw: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SettingsError) as error:
        load_settings(raw, "dev")
    return {problem.path: str(problem) for problem in error.value.problems}


@pytest.mark.parametrize("place", [SSH, {**TCP, **PEMS}, {**SSH, "docker": "ssh://db1", "ssh_options": ["-v"]}])
def test_what_can_be_used_is_taken(place):
    assert loaded(place).store_host.docker == place["docker"]


@pytest.mark.parametrize(
    "docker",
    [
        "db1",
        "unix:///var/run/docker.sock",
        "http://db1:2375",
        "ssh://user:word@db1",
        "ssh://db1/path",
        "ssh://-oProxyCommand=x",
        "ssh://-l@db1",
        "ssh://db1 x",
        "tcp://",
    ],
)
def test_an_address_of_another_form_is_refused(docker):
    said = refused({**BASE, "store_host": {**SSH, "docker": docker}})
    assert set(said) == {"store_host.docker"}
    assert "ssh://deploy@db1.example.com" in said["store_host.docker"]
    assert "word" not in said["store_host.docker"]


def test_everything_that_is_wrong_is_told_at_once():
    place = {"docker": "tcp://db1", "address": "localhost", "ssh_options": ["-v"], "ca": "pem"}
    assert set(refused({"store_host": place})) == {
        "store_host",
        "registry",
        "store_host.docker",
        "store_host.address",
        "store_host.ssh_options",
        "store_host.client_certificate",
        "store_host.client_key",
    }


def test_keys_for_tcp_do_not_fit_ssh_and_are_not_repeated():
    said = refused({**BASE, "store_host": {**SSH, **PEMS}})
    assert set(said) == {f"store_host.{name}" for name in PEMS}
    assert not [text for text in said.values() if "a key" in text]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "localhost", "LOCALHOST."])
def test_an_address_that_leads_to_the_gateway_itself_is_refused(address):
    assert set(refused({**BASE, "store_host": {**SSH, "address": address}})) == {"store_host.address"}


@pytest.mark.parametrize(("address", "told"), [("127.0.0.1:5000", 1), ("localhost:5000", 1), ("r.example.com", 0)])
def test_a_registry_that_each_host_takes_for_itself_is_warned_of(address, told):
    said = [text for text in warnings(loaded(registry={"address": address})) if "cortex:registry.address" in text]
    assert len(said) == told


def planned(place: dict[str, Any] = SSH, **raw: Any) -> Any:
    settings = loaded(place, **raw)
    return topologies.plan("dev", settings, topologies.sized(settings), 1 << 20, 1 << 14)


def test_the_plan_has_the_store_and_its_door_there_and_the_rest_here():
    plan = planned()
    assert [each.name for each in plan.far_containers] == ["chroma", "backup", "drill", "door"]
    assert [each.name for each in plan.near_containers] == ["api", "gateway"]
    assert {network.name for network in plan.networks} == {"edge", "app"} == set(plan.gateway.networks)
    assert {network.name: network.internal for network in plan.far.networks} == {"edge": False, "data": True}
    assert plan.store_group.server.networks == ("data",)
    assert not plan.store_group.server.ports
    (port,) = plan.far.door.ports
    assert (port.container_port, port.host_address, port.host_port) == (8443, "0.0.0.0", 8443)
    # Each within what its own host grants.
    assert plan.store_group.server.resources.open_files == plan.far.door.resources.open_files == 1 << 14
    assert plan.store_group.archiver.resources.open_files == plan.drill.resources.open_files == 1 << 14
    assert plan.gateway.resources.open_files > 1 << 14


def test_without_it_the_plan_is_as_ever():
    settings = load_settings(BASE, "dev")
    plan = topologies.plan("dev", settings, topologies.sized(settings), 1 << 20)
    assert plan.far is None
    assert plan.near_containers == plan.containers
    assert topologies.sized(settings).door_memory_bytes == 0


def test_the_certificate_is_good_for_the_name_that_the_gateway_verifies():
    plan = planned()
    assert plan.far.certificate.names == ("store.dev.cortex.internal", "10.0.0.5")
    configuration = plan.gateway.files.content(values(plan))["haproxy.cfg"]
    assert "10.0.0.5:8443" in configuration
    assert "verifyhost store.dev.cortex.internal" in configuration


def test_the_files_of_both_are_made_of_the_secrets_that_they_name():
    plan = planned(gateway={"credential_generations": [2, 1]})
    assert AUTHORITY in plan.gateway.files.secrets
    assert DOOR_CERTIFICATE not in plan.gateway.files.secrets
    given = values(plan)
    made = plan.far.door.files.content({key: given[key] for key in plan.far.door.files.secrets})
    assert set(made) == set(plan.far.door.files.files)
    assert made[files.INNER_HASHES].count(" api\n") == 2
    assert made[files.CERTIFICATE] == given[DOOR_CERTIFICATE]
    assert given["inner-1"] not in "".join(made.values())
    near = plan.gateway.files.content({key: given[key] for key in plan.gateway.files.secrets})
    assert near[files.AUTHORITY] == given[AUTHORITY]


def said(near: Host, far: Host, **raw: Any) -> dict[str, str]:
    settings = loaded(**raw)
    found = feasibility.problems(settings, topologies.sized(settings), near, far)
    return {problem.path: str(problem) for problem in found}


def test_each_host_is_measured_by_what_runs_on_it():
    assert said(ROOMY, dataclasses.replace(ROOMY, daemon="two")) == {}
    short = Host(memory_bytes=1, free_disk_bytes=1, open_files_hard_limit=1, daemon="two")
    far = said(ROOMY, short)
    assert set(far) == {"corpus.vectors", "corpus.collections", "store_host.docker"}
    assert all("db1.example.com" in text for text in far.values())
    near = said(short, ROOMY)
    assert set(near) == {"api.replicas", "gateway.connections"}
    assert all("this host" in text for text in near.values())


def test_a_port_that_is_taken_there_is_told():
    far = Host(port_holders={"store_host.port": "container web"})
    told = said(ROOMY, far)
    assert set(told) == {"store_host.port"}
    assert "8443" in told["store_host.port"]


def test_the_gateways_own_daemon_is_no_other_host():
    assert "as well" in said(ROOMY, ROOMY)["store_host.docker"]


def test_a_client_certificate_that_cannot_be_used_is_told_without_its_text():
    settings = loaded({**TCP, **PEMS})
    (problem,) = feasibility.certificate_problems(settings, datetime.now(UTC))
    assert problem.path == "store_host.client_certificate"
    assert "a key" not in str(problem)
