from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from infra.gateway.tokens import GatewayToken, Reach, hashed, reach_map
from infra.settings import Settings, Token, load_settings
from infra.settings.origins import key_lines
from infra.settings.rules import warnings
from infra.vocabulary import Platform, Precision, Role, Topology


def test_nothing_set_is_the_defaults():
    settings = load_settings({}, "dev")
    assert settings == Settings()
    assert (settings.platform, settings.topology) == (Platform.DOCKER, Topology.SINGLE_NODE)
    assert (settings.corpus.model, settings.corpus.vectors) == ("all-MiniLM-L6-v2", 100_000)
    assert settings.image.precision is Precision.INT8
    assert str(settings.access.address) == "127.0.0.1"
    assert settings.limits.memory_mib is None
    assert settings.registry is None
    assert (settings.access.port, settings.access.plain_port) == (8443, None)
    assert settings.tokens == {"admin": Token(role=Role.ADMIN)}
    assert (settings.tokens["admin"].generations, settings.tokens["admin"].expires) == ((1,), None)
    assert (settings.api.replicas, settings.tls.given) == (None, None)


def test_both_topologies_and_all_that_is_said_of_tokens_certificate_and_gateway(read):
    settings = read(
        "cortex:topology: client-server\n"
        "cortex:api:\n  replicas: 3\n  cpus: 0.5\n"
        "cortex:access:\n  address: ::1\n  plain_port: 80\n"
        "cortex:tls:\n  names: [db.example.com, 10.1.2.3, 'fd00::1', '*.example.org']\n  days: 90\n  generation: 4\n"
        "cortex:gateway:\n  slots: 8\n  credential_generations: [2, 1]\n"
        "cortex:tokens:\n"
        "  boss:\n    role: admin\n    generations: [7, 8]\n"
        "  search.v2:\n    role: read\n    expires: '2027-01-31T00:00:00+01:00'\n    reach: [acme/docs, other, größe]\n"
    )
    assert settings.topology is Topology.CLIENT_SERVER
    assert (settings.api.replicas, settings.api.cpus) == (3, 0.5)
    assert (str(settings.access.address), settings.access.plain_port) == ("::1", 80)
    assert settings.tls.names == ("db.example.com", "10.1.2.3", "fd00::1", "*.example.org")
    assert (settings.tls.days, settings.tls.generation) == (90, 4)
    assert (settings.gateway.slots, settings.gateway.credential_generations) == (8, (2, 1))
    assert list(settings.tokens) == ["boss", "search.v2"]  # the list of the defaults is not added
    assert settings.tokens["boss"] == Token(role=Role.ADMIN, generations=(7, 8))
    assert settings.tokens["search.v2"].expires == datetime(2027, 1, 30, 23, tzinfo=UTC)
    assert settings.tokens["search.v2"].reach == ("acme/docs", "other", "größe")


@pytest.mark.parametrize("tokens", [{"a": {"role": "admin"}}, '{"a": {"role": "admin"}}', {"a": '{"role": "admin"}'}])
def test_named_groups_may_be_mappings_or_the_json_that_pulumi_makes_of_them(tokens):
    assert load_settings({"tokens": tokens}, "dev").tokens == {"a": Token(role=Role.ADMIN)}


def test_one_replica_is_what_a_single_node_has(read):
    assert read("cortex:api:\n  replicas: 1").api.replicas == 1


@pytest.mark.parametrize("reach", ["acme", "acme/docs", "größe/*", "it's/(1)", "x" * 300])
def test_what_a_token_may_be_limited_to_the_gateway_can_look_for_in_a_path(reach):
    tokens = {"admin": {"role": "admin"}, "a": {"role": "read", "reach": [reach]}}
    settings = load_settings({"topology": "client-server", "tokens": tokens}, "dev")
    tenant, _, database = settings.tokens["a"].reach[0].partition("/")
    assert reach_map([GatewayToken("a", Role.READ, hashed("x"), None, (Reach(tenant, database or None),))])


@pytest.mark.parametrize("group", [{"vectors": 7}, '{"vectors": 7}', {"vectors": "7"}, {"vectors": 7.0}])
def test_a_group_may_be_a_mapping_or_the_json_that_pulumi_makes_of_it(group):
    assert load_settings({"corpus": group}, "dev").corpus.vectors == 7


@pytest.mark.parametrize("nothing", [{}, "{}"])
def test_an_empty_group_is_left_out(nothing):
    assert (
        load_settings({"registry": nothing, "corpus": nothing, "tls": nothing, "tokens": nothing}, "dev") == Settings()
    )


def test_the_largest_and_smallest_values_are_in_range():
    assert (
        load_settings({"corpus": {"vectors": 50_000_000}, "limits": {"cpus": 256}}, "dev").corpus.vectors == 50_000_000
    )
    assert load_settings({"corpus": {"vectors": 1}, "access": {"port": 65_535}}, "dev").access.port == 65_535
    least = {"connections": 10, "connections_per_address": 10}
    assert load_settings({"gateway": least}, "dev").gateway.connections == 10


@pytest.mark.parametrize("model", ["all-mpnet-base-v2", "all-MiniLM-L6-v2"])
def test_a_known_model_brings_its_dimensions(model):
    assert load_settings({"corpus": {"model": model}}, "dev").corpus.dimensions is None


def test_settings_cannot_be_changed_later():
    with pytest.raises(ValueError, match="frozen"):
        Settings().corpus.vectors = 5


def test_lines_are_found_in_a_file_with_comments_other_projects_and_bare_keys(tmp_path):
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(
        "# production\nencryptionsalt: v1:abc\nconfig:\n  aws:region: eu\n  cortex:corpus:\n    # many\n"
        "    vectors: 5\n  limits: {memory_mib: 64,\n           cpus: 1}\n",
        encoding="utf-8",
    )
    assert key_lines(file) == {
        "corpus": "Pulumi.prod.yaml:5",
        "corpus.vectors": "Pulumi.prod.yaml:7",
        "limits": "Pulumi.prod.yaml:8",
        "limits.memory_mib": "Pulumi.prod.yaml:8",
        "limits.cpus": "Pulumi.prod.yaml:9",
    }


@pytest.mark.parametrize("text", ["", "config: {}\n", "config:\n", "[1, 2]\n"])
def test_a_file_without_settings_has_no_lines(tmp_path, text):
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(text, encoding="utf-8")
    assert key_lines(file) == {}
    assert key_lines(tmp_path / "absent.yaml") == {}


def test_many_collections_and_an_early_alarm_are_advised_against_not_refused():
    assert list(warnings(Settings())) == []
    raw = {"corpus": {"collections": 101}, "health": json.dumps({"memory_percent": 80})}
    many, early = warnings(load_settings(raw, "dev"))
    assert many.startswith("cortex:corpus.collections = 101: over 100 collections")
    assert early == (
        "cortex:health.memory_percent = 80: the predicted peak takes 80 % of the computed limit, so a full stack "
        "counts as unhealthy; raise it, or cortex:limits.headroom_percent"
    )
    assert not list(warnings(load_settings({"corpus": {"collections": 100}}, "dev")))
    assert not list(warnings(load_settings({"health": {"memory_percent": 80}, "limits": {"memory_mib": 9999}}, "dev")))
