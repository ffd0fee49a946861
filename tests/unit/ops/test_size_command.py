from __future__ import annotations

import json

import pytest

from infra.settings import SettingsError
from ops import size


def test_without_inputs_it_sizes_the_defaults(command):
    code, out, err = command("size")
    assert (code, err) == (0, "")
    assert out.startswith("Sizing for 100,000 vectors x 384 dimensions in 20 collections")


def test_keys_of_make_and_of_the_settings_do(command):
    assert (
        command("size", "VECTORS=1000000", "dimensions=384")[1]
        == size.table({"vectors": "1000000", "dimensions": "384"}) + "\n"
    )


def test_it_is_one_object_for_programs(command):
    code, out, _ = command("size", "--json", "VECTORS=1000000")
    told = json.loads(out)
    assert (code, told["store"]["corpus"]["vectors"], told["replicas"]) == (0, 1_000_000, 0)
    assert told["store"]["memory_limit_bytes"] > 3e9
    assert {term["name"] for term in told["store"]["memory_terms"]} >= {"process", "indexes"}


@pytest.mark.parametrize(
    ("inputs", "head"),
    [
        ({"dimensions": "384"}, "100,000 vectors x 384 dimensions"),
        ({"dimensions": "768"}, "100,000 vectors x 768 dimensions"),
        ({"dimensions": "1024"}, "100,000 vectors x 1,024 dimensions"),
        ({"dimensions": "5", "vectors": "7"}, "7 vectors x 5 dimensions"),
        ({"model": "all-mpnet-base-v2"}, "100,000 vectors x 768 dimensions"),
    ],
)
def test_dimensions_alone_are_enough(inputs, head):
    assert head in size.table(inputs)


def test_the_topology_is_an_input_too():
    table = size.table({"topology": "client-server", "api.replicas": "5"})
    assert "(Chroma server)" in table
    assert "API replica (each of 5)" in table
    assert "API replica" not in size.table({})
    assert "stack, all limits" in size.table({})


def test_dimensions_that_contradict_the_model_are_still_refused():
    with pytest.raises(SettingsError, match="does not fit model all-MiniLM-L6-v2, whose vectors have 384"):
        size.table({"model": "all-MiniLM-L6-v2", "dimensions": "768"})


def test_any_setting_can_be_given_by_its_path():
    table = size.table({"limits.headroom_percent": "50", "limits.memory_mib": "4096", "limits.disk_gib": "40"})
    assert "limit (+50 %)" in table
    assert "= 4,096 MiB" in table
    assert "= 40 GiB" in table


def test_wrong_inputs_are_told_as_in_a_preview(command):
    code, out, err = command("size", "vecors=5", "batch_rows=0")
    assert (code, out) == (1, "")
    assert "cortex:corpus.vecors\n      is not a setting; did you mean corpus.vectors?" in err
    assert "cortex:corpus.batch_rows = 0\n" in err


def test_an_input_without_a_value_is_told_with_an_example(command):
    assert command("size", "vectors", "5") == (
        1,
        "",
        "error: not KEY=VALUE: vectors 5; for example vectors=1000000\n",
    )
