from __future__ import annotations

import json

import pytest

from infra.settings import Settings, load_settings
from infra.settings.origins import key_lines
from infra.settings.rules import warnings
from infra.vocabulary import Platform, Precision, Topology


def test_nothing_set_is_the_defaults():
    settings = load_settings({}, "dev")
    assert settings == Settings()
    assert (settings.platform, settings.topology) == (Platform.DOCKER, Topology.SINGLE_NODE)
    assert (settings.corpus.model, settings.corpus.vectors) == ("all-MiniLM-L6-v2", 100_000)
    assert settings.image.precision is Precision.INT8
    assert str(settings.access.address) == "127.0.0.1"
    assert settings.limits.memory_mib is None
    assert settings.registry is None


def test_what_is_set_wins_and_the_rest_of_its_group_keeps_defaults(read):
    settings = read(
        "cortex:corpus:\n  vectors: 5\n  growth_percent_per_month: 2.5\n"
        "cortex:access:\n  address: '::1'\n  port: 9000\n"
        "cortex:limits:\n  memory_mib: 4096\n  cpus: 0.5\n"
        "cortex:image:\n  precision: fp32\n"
    )
    assert (settings.corpus.vectors, settings.corpus.growth_percent_per_month) == (5, 2.5)
    assert settings.corpus.batch_rows == 1_000
    assert (str(settings.access.address), settings.access.port) == ("::1", 9000)
    assert (settings.limits.memory_mib, settings.limits.cpus) == (4096, 0.5)
    assert settings.image.precision is Precision.FP32


@pytest.mark.parametrize("group", [{"vectors": 7}, '{"vectors": 7}', {"vectors": "7"}, {"vectors": 7.0}])
def test_a_group_may_be_a_mapping_or_the_json_that_pulumi_makes_of_it(group):
    assert load_settings({"corpus": group}, "dev").corpus.vectors == 7


@pytest.mark.parametrize("nothing", [{}, "{}"])
def test_an_empty_group_is_left_out(nothing):
    assert load_settings({"registry": nothing, "corpus": nothing}, "dev") == Settings()


def test_the_largest_and_smallest_values_are_in_range():
    assert (
        load_settings({"corpus": {"vectors": 50_000_000}, "limits": {"cpus": 256}}, "dev").corpus.vectors == 50_000_000
    )
    assert load_settings({"corpus": {"vectors": 1}, "access": {"port": 65_535}}, "dev").access.port == 65_535


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
