"""Volumes of files: made from nothing but the secrets that they name, and what of them is where."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from infra.gateway import files
from infra.gateway.tokens import hashed
from infra.plan import AUTHORITY, AUTHORITY_KEY, CERTIFICATE
from infra.settings import load_settings
from infra.topologies import gateway
from infra.topologies.backup import CONFIG
from infra.topologies.backup_configuration import KEY
from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH, laid_down, replica, values

ENDS = "2027-01-31T00:00:00+00:00"
TOKENS = {
    "admin": {"role": "admin", "generations": [1, 2]},
    "search": {"role": "read", "generations": [3], "expires": ENDS},
    "acme": {"role": "write", "reach": ["acme/docs", "other"]},
}


def content(container, plan):
    """Name → text of a container's files, made as on a platform: of the secrets that they name, and no other."""
    given = values(plan)
    return container.files.content({key: given[key] for key in container.files.secrets})


@BOTH
def test_a_volume_has_exactly_its_files_from_exactly_its_secrets(topology):
    raw = {"tokens": {"admin": {"role": "admin", "generations": [1, 2]}}, "gateway": {"credential_generations": [2, 1]}}
    plan = laid_down(raw, topology=topology)
    known = values(plan)
    volumes = {container.files for container in plan.containers if container.files}
    assert {volume.name for volume in volumes} == {"api-secrets", "backup-secrets", "drill-secrets", "gateway-files"}
    assert len(volumes) == 4
    for volume in volumes:
        asked = []

        class Watched(dict[str, str]):
            def __getitem__(self, key: str, asked=asked) -> str:
                asked.append(key)
                return super().__getitem__(key)

            def get(self, key: str, _default: str = "") -> str:
                return self[key]

            def items(self):
                return [(key, self[key]) for key in self]

        made = volume.content(Watched({key: known[key] for key in volume.secrets}))
        assert set(made) == set(volume.files)
        assert len(volume.files) == len(set(volume.files))
        # Not one too many either: a secret that is not needed does not go there.
        assert set(asked) == set(volume.secrets)
        # Docker takes no empty file.
        assert all(made.values())


@BOTH
def test_every_word_is_used_and_no_volume_lies_within_the_store(topology):
    plan = laid_down({"tokens": TOKENS if topology is Topology.CLIENT_SERVER else {}}, topology=topology)
    named = {key for container in plan.containers if container.files for key in container.files.secrets}
    assert named == {*(word.key for word in plan.words), CERTIFICATE, AUTHORITY, AUTHORITY_KEY}
    for container in plan.containers:
        if container.files:
            assert not container.files.mount_path.startswith(plan.store_group.store.mount_path)


@BOTH
def test_the_store_s_own_server_gets_no_token(topology):
    """Only hashes of the inner credential where the API holds the store, and nothing at all where Chroma does."""
    plan = laid_down({"gateway": {"credential_generations": [2, 1]}}, topology=topology)
    server = plan.store_group.server
    if topology is Topology.CLIENT_SERVER:
        assert server.files is None
        return
    known = values(plan)
    assert server.files.secrets == ("inner-2", "inner-1")
    assert content(server, plan) == {
        "inner-credential": f"{hashed(known['inner-2'])}\n{hashed(known['inner-1'])}\n",
    }


def test_a_replica_gets_the_hashes_of_every_inner_word_and_the_first_word_itself():
    plan = laid_down({"gateway": {"credential_generations": [2, 1]}}, topology=Topology.CLIENT_SERVER)
    known = values(plan)
    assert content(replica(plan), plan) == {
        "inner-credential": f"{hashed(known['inner-2'])}\n{hashed(known['inner-1'])}\n",
        "chroma-token": known["inner-2"],
    }


def test_the_gateway_shows_the_first_inner_word_and_lets_every_one_in():
    plan = laid_down({"gateway": {"credential_generations": [2, 1]}}, topology=Topology.CLIENT_SERVER)
    made, known = content(plan.gateway, plan), values(plan)
    assert made[files.INNER_CREDENTIAL] == f"credential {known['inner-2']}\n"
    assert [line.split()[0] for line in made[files.INNER_HASHES].splitlines()] == [
        hashed(known["inner-2"]),
        hashed(known["inner-1"]),
    ]
    one = laid_down()
    assert files.INNER_HASHES not in one.gateway.files.files  # no inner door there
    assert files.OWNERS not in one.gateway.files.files


@BOTH
def test_the_gateways_certificate_is_the_secret_as_it_is(topology):
    plan = laid_down(topology=topology)
    assert content(plan.gateway, plan)[files.CERTIFICATE] == values(plan)[CERTIFICATE]


def test_the_gateway_has_a_line_for_each_valid_generation_with_role_end_and_limit():
    plan = laid_down({"tokens": TOKENS}, topology=Topology.CLIENT_SERVER)
    made, known = content(plan.gateway, plan), values(plan)
    end = int(datetime(2027, 1, 31, tzinfo=UTC).timestamp())
    assert made[files.TOKENS].splitlines() == [
        f"{hashed(known['token-admin-1'])} admin|admin|0|unlimited",
        f"{hashed(known['token-admin-2'])} admin|admin|0|unlimited",
        f"{hashed(known['token-search-3'])} read|search|{end}|unlimited",
        f"{hashed(known['token-acme-1'])} write|acme|0|limited",
    ]
    assert made[files.REACHES].splitlines() == ["acme:acme/ 1", "acme:acme/docs 1", "acme:other/ 1", "acme:other/* 1"]


def test_a_generation_that_is_taken_away_takes_its_line_along():
    before = laid_down({"tokens": {"admin": {"role": "admin", "generations": [1, 2]}}})
    after = laid_down({"tokens": {"admin": {"role": "admin", "generations": [2]}}})
    first, second = content(before.gateway, before)[files.TOKENS].splitlines()
    assert first.startswith(hashed("value-of-token-admin-1"))
    assert content(after.gateway, after)[files.TOKENS].splitlines() == [second]
    assert "token-admin-1" not in after.gateway.files.secrets
    # Nothing else changes: the running gateway loads its files, it is not replaced.
    kept = {name: text for name, text in content(before.gateway, before).items() if name != files.TOKENS}
    assert {name: text for name, text in content(after.gateway, after).items() if name != files.TOKENS} == kept
    assert after.gateway.environment == before.gateway.environment
    assert (after.gateway.resources, after.gateway.ports) == (before.gateway.resources, before.gateway.ports)


@BOTH
def test_no_word_and_no_key_is_in_a_file_that_needs_only_its_hash(topology):
    plan = laid_down(topology=topology)
    made, known = content(plan.gateway, plan), values(plan)
    holding = {key: {name for name, text in made.items() if value in text} for key, value in known.items()}
    assert holding == {
        "token-admin-1": set(),
        "inner-1": {files.INNER_CREDENTIAL},
        CERTIFICATE: {files.CERTIFICATE},
        AUTHORITY: set(),
        AUTHORITY_KEY: set(),
        KEY.key: set(),
    }


@BOTH
def test_the_archivers_file_has_all_that_lasts_but_no_certificate(topology):
    plan = laid_down({"tokens": TOKENS if topology is Topology.CLIENT_SERVER else {}}, topology=topology)
    archiver = plan.store_group.archiver
    # The credential between the parts is made anew: no caller has it.
    lasting = {word.key for word in plan.words if word.name != "inner"}
    assert set(archiver.files.secrets) == {*lasting, AUTHORITY, AUTHORITY_KEY}
    made, known = content(archiver, plan), values(plan)
    assert set(made) == {CONFIG}
    assert {key for key, value in known.items() if value in made[CONFIG]} == set(archiver.files.secrets)


@pytest.mark.parametrize("raw", [{}, {"backup": {"encryption_key": "k" * 43}}], ids=["made", "given"])
@BOTH
def test_the_drills_file_opens_what_bases_carry_and_carries_none_of_it(topology, raw):
    plan = laid_down({"tokens": TOKENS if topology is Topology.CLIENT_SERVER else {}, **raw}, topology=topology)
    archiver, drill = plan.store_group.archiver, plan.drill
    assert drill.files.name != archiver.files.name
    assert drill.files.secrets == (() if raw else (KEY.key,))
    made, known = content(drill, plan), values(plan)
    assert set(made) == {CONFIG}
    # No token, no authority or key of it, no credential between the parts, nor the hash of any.
    for key in set(known) - {KEY.key}:
        assert known[key] not in made[CONFIG]
        assert hashed(known[key]) not in made[CONFIG]
    carried, opening = (json.loads(content(each, plan)[CONFIG]) for each in (archiver, drill))
    assert json.loads(opening.pop("state")) == {"stack": "dev", "secrets": {}}
    assert set(json.loads(carried.pop("state"))["secrets"]) == set(archiver.files.secrets) - {KEY.key}
    # But for that, the two are told the same: the key and the target above all.
    assert opening == carried
    assert opening["key"] == ("k" * 43 if raw else known[KEY.key])


@pytest.mark.parametrize(
    ("setting", "value", "line"),
    [
        ("restart_s", 77, "retries 77"),
        ("queue_s", 41, "timeout queue 41s"),
        ("answer_s", 123, "timeout server 123s"),
        ("answer_s", 123, "hard-stop-after 153s"),
        ("connections", 4_321, "maxconn 4321"),
        ("connections_per_address", 43, "conn_cur(addresses) gt 43 "),
        ("requests_per_s_per_address", 4_567, " gt 45670"),
        ("requests_per_s_per_token", 765, " gt 7650"),
    ],
)
@BOTH
def test_what_the_gateway_allows_is_the_settings(topology, setting, value, line):
    plan = laid_down({"gateway": {setting: value}}, topology=topology)
    text = content(plan.gateway, plan)[files.CONFIGURATION]
    assert line in text
    plain = laid_down(topology=topology)
    assert line not in content(plain.gateway, plain)[files.CONFIGURATION]


def test_places_and_queues_are_the_settings():
    raw = {
        "topology": "client-server",
        "api": {"max_concurrent_requests": 9, "max_body_mib": 64},
        "gateway": {"slots": 3, "queue": 21},
    }
    made = gateway.rendered("dev", load_settings(raw, "dev"))
    assert (made.topology.api.slots, made.topology.api.queue) == (9, 21)
    assert (made.topology.chroma.slots, made.topology.chroma.queue) == (3, 21)
    assert made.allowance.body_bytes == 64 << 20
    assert made.doors.plain_port is None
    alone = gateway.rendered("dev", load_settings({**raw, "topology": "single-node"}, "dev"))
    assert (alone.topology.api.slots, alone.topology.api.queue) == (9, 21)
    small = gateway.rendered("dev", load_settings({"api": {"max_body_mib": 1}}, "dev"))
    assert small.allowance.body_bytes == 40 << 20  # Chroma's own clients may send as much


def test_a_door_without_tls_is_in_the_configuration_only_if_it_was_asked_for():
    for plain in (None, 80):
        plan = laid_down({"access": {"plain_port": plain}} if plain else {})
        assert (f":{gateway.PLAIN_PORT}" in content(plan.gateway, plan)[files.CONFIGURATION]) is bool(plain)
