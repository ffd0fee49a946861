"""What must hold of the sizing whatever the coefficients are: it never says less than is needed, and never shrinks."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import sizing, topologies
from infra.settings import load_settings
from infra.settings.models import Corpus, Limits
from infra.sizing import StoredCorpus, at_horizon
from infra.sizing import coefficients as c

# A busy machine is no finding.
settings.register_profile("cortex", deadline=None)
settings.load_profile("cortex")

CORPORA = st.builds(
    StoredCorpus,
    vectors=st.integers(1, 200_000_000),
    dimensions=st.integers(1, 16_384),
    collections=st.integers(1, 10_000),
    document_bytes=st.integers(0, 1_000_000),
    metadata_bytes=st.integers(0, 100_000),
    batch_rows=st.integers(1, 5_000),
    log_rows=st.integers(1, 2_000_000_000),
)
KNOBS = st.fixed_dictionaries(
    {
        "concurrent_requests": st.integers(1, 1_000),
        "request_body_bytes": st.integers(1 << 20, 1 << 30),
        "headroom_percent": st.integers(20, 100),
        "disk_percent": st.integers(10, 99),
    }
)
PROCESSES = st.sampled_from([c.SERVER, c.EMBEDDED])
NEEDS = ("memory_peak_bytes", "memory_limit_bytes", "memory_reservation_bytes", "disk_bytes", "open_files", "startup_s")


def needs(need: sizing.Sizing) -> dict[str, int]:
    return {name: getattr(need, name) for name in (*NEEDS, "stop_grace_s", "rule_memory_bytes")}


@given(CORPORA, PROCESSES, KNOBS, st.sampled_from([f.name for f in fields(StoredCorpus)]), st.integers(1, 1_000_000))
def test_more_of_anything_never_needs_less(corpus, process, knobs, name, more):
    before = needs(sizing.size(corpus, process, **knobs))
    after = needs(sizing.size(replace(corpus, **{name: getattr(corpus, name) + more}), process, **knobs))
    assert all(after[key] >= before[key] for key in before)


@given(CORPORA, PROCESSES, KNOBS, st.sampled_from(["vectors", "dimensions", "collections"]))
def test_more_records_dimensions_or_collections_take_more_memory(corpus, process, knobs, name):
    grown = replace(corpus, **{name: getattr(corpus, name) + 1})
    before, after = sizing.size(corpus, process, **knobs), sizing.size(grown, process, **knobs)
    assert after.memory_peak_bytes > before.memory_peak_bytes


@given(CORPORA, PROCESSES, KNOBS, st.sampled_from(["concurrent_requests", "request_body_bytes", "headroom_percent"]))
def test_more_load_or_headroom_never_needs_less(corpus, process, knobs, name):
    before = needs(sizing.size(corpus, process, **knobs))
    after = needs(sizing.size(corpus, process, **{**knobs, name: knobs[name] * 2}))
    assert all(after[key] >= before[key] for key in before)


@given(CORPORA, PROCESSES, KNOBS)
def test_the_limit_holds_the_peak_with_its_headroom_in_whole_mib(corpus, process, knobs):
    need = sizing.size(corpus, process, **knobs)
    assert need.memory_limit_bytes % c.MIB == need.memory_reservation_bytes % c.MIB == 0
    assert need.memory_peak_bytes == sum(term.amount_bytes for term in need.memory_terms)
    wanted = need.memory_peak_bytes * (100 + knobs["headroom_percent"])
    assert wanted <= need.memory_limit_bytes * 100 < wanted + 100 * c.MIB
    assert need.memory_reservation_bytes <= need.memory_limit_bytes


@given(CORPORA, PROCESSES, KNOBS)
def test_the_limit_is_above_the_raw_vectors_and_above_the_rule_of_thumb(corpus, process, knobs):
    need = sizing.size(corpus, process, **knobs)
    raw_bytes = 4 * corpus.vectors * corpus.dimensions
    assert need.memory_reservation_bytes > raw_bytes + process.base_bytes - c.MIB
    assert need.memory_limit_bytes > max(raw_bytes, need.rule_memory_bytes)


@given(CORPORA, PROCESSES, KNOBS)
def test_the_volume_holds_all_that_is_stored_below_the_line_where_it_counts_as_full(corpus, process, knobs):
    need = sizing.size(corpus, process, **knobs)
    stored_bytes = sum(term.amount_bytes for term in need.disk_terms)
    payload_bytes = corpus.vectors * (4 * corpus.dimensions + corpus.document_bytes + corpus.metadata_bytes)
    log_bytes = corpus.log_rows * (4 * corpus.dimensions + corpus.document_bytes + corpus.metadata_bytes)
    assert stored_bytes > payload_bytes + log_bytes
    assert need.disk_bytes % c.GIB == 0
    assert stored_bytes * 100 <= need.disk_bytes * knobs["disk_percent"]
    assert (need.disk_bytes - c.GIB) * knobs["disk_percent"] < stored_bytes * 100


@given(CORPORA, PROCESSES, KNOBS)
def test_descriptors_times_and_processes(corpus, process, knobs):
    need = sizing.size(corpus, process, **knobs)
    assert need.open_files >= 4 * corpus.collections + knobs["concurrent_requests"]
    assert need.startup_s >= corpus.vectors * corpus.dimensions / (384 * c.REBUILD_VECTORS_PER_S_AT_384)
    assert need.stop_grace_s >= corpus.batch_rows / c.SLOWEST_WRITE_ROWS_PER_S
    # The API takes more than the bare server: it holds the server, and a model besides.
    assert (
        sizing.size(corpus, c.EMBEDDED, **knobs).memory_limit_bytes
        >= sizing.size(corpus, c.SERVER, **knobs).memory_limit_bytes
    )


REPLICA_NEEDS = ("memory_peak_bytes", "memory_limit_bytes", "memory_reservation_bytes", "open_files", "stop_grace_s")
REPLICAS = st.sampled_from([c.REPLICA, c.REPLICA_OWN_VECTORS])


def replica(corpus, process, knobs) -> sizing.ReplicaSizing:
    return sizing.size_replica(corpus, process, **{key: knobs[key] for key in knobs if key != "disk_percent"})


@given(CORPORA, REPLICAS, KNOBS)
def test_a_replicas_limit_holds_its_peak_with_its_headroom_in_whole_mib(corpus, process, knobs):
    need = replica(corpus, process, knobs)
    assert need.memory_limit_bytes % c.MIB == need.memory_reservation_bytes % c.MIB == 0
    assert need.memory_peak_bytes == sum(term.amount_bytes for term in need.memory_terms)
    wanted = need.memory_peak_bytes * (100 + knobs["headroom_percent"])
    assert wanted <= need.memory_limit_bytes * 100 < wanted + 100 * c.MIB
    assert process.base_bytes + c.GUARD_BYTES <= need.memory_reservation_bytes <= need.memory_limit_bytes
    # A socket on either side of each request, for the caller and for Chroma.
    assert need.open_files >= 4 * knobs["concurrent_requests"]
    assert need.stop_grace_s >= corpus.batch_rows / c.SLOWEST_WRITE_ROWS_PER_S


@given(CORPORA, REPLICAS, KNOBS, st.sampled_from(["vectors", "collections", "document_bytes", "log_rows"]))
def test_a_replica_does_not_grow_with_what_is_stored(corpus, process, knobs, name):
    grown = replace(corpus, **{name: getattr(corpus, name) * 3 + 1})
    assert replica(grown, process, knobs) == replica(corpus, process, knobs)


@given(CORPORA, REPLICAS, KNOBS, st.sampled_from(["batch_rows", "dimensions"]), st.integers(1, 1_000))
def test_larger_batches_never_need_less_of_a_replica(corpus, process, knobs, name, more):
    before = replica(corpus, process, knobs)
    after = replica(replace(corpus, **{name: getattr(corpus, name) + more}), process, knobs)
    assert all(getattr(after, key) >= getattr(before, key) for key in REPLICA_NEEDS)


@given(CORPORA, REPLICAS, KNOBS, st.sampled_from(["concurrent_requests", "request_body_bytes", "headroom_percent"]))
def test_more_load_or_headroom_never_needs_less_of_a_replica(corpus, process, knobs, name):
    before, after = (replica(corpus, process, {**knobs, name: knobs[name] * times}) for times in (1, 2))
    assert all(getattr(after, key) >= getattr(before, key) for key in REPLICA_NEEDS)


@given(CORPORA, KNOBS)
def test_a_replica_takes_no_less_for_its_requests_than_the_api_with_the_store_in_it(corpus, knobs):
    embedded, alone = sizing.size(corpus, c.EMBEDDED, **knobs), replica(corpus, c.REPLICA, knobs)
    assert alone.memory_terms[-1] == next(term for term in embedded.memory_terms if term.name == "work")
    assert alone.memory_limit_bytes < embedded.memory_limit_bytes


@given(CORPORA, KNOBS, st.integers(0, 16), st.integers(1, 1_000))
def test_what_runs_beside_the_store_is_the_gateway_and_every_replica(corpus, knobs, replicas, gateway_mib):
    one = replica(corpus, c.REPLICA, knobs)
    store = sizing.size(corpus, c.SERVER, **knobs)
    gateway = {"gateway_memory_bytes": gateway_mib * c.MIB, "gateway_open_files": 1}
    stack = sizing.StackSizing(store=store, replica=one, replicas=replicas, **gateway)
    assert stack.beside_bytes == gateway_mib * c.MIB + replicas * one.memory_limit_bytes
    alone = sizing.StackSizing(store=store, replica=None, replicas=0, **gateway)
    assert alone.beside_bytes == gateway_mib * c.MIB


@given(
    st.builds(
        Corpus,
        vectors=st.integers(1, 50_000_000),
        updates_per_day=st.integers(0, 1_000_000),
        growth_percent_per_month=st.floats(0, 100),
        horizon_months=st.integers(1, 120),
    )
)
def test_the_horizon_never_shrinks_a_corpus_and_its_log_holds_every_write(corpus):
    stored = at_horizon(corpus)
    assert stored.vectors >= corpus.vectors
    assert stored.log_rows >= stored.vectors + corpus.updates_per_day * 30 * corpus.horizon_months
    assert at_horizon(corpus.model_copy(update={"horizon_months": corpus.horizon_months + 1})).vectors >= stored.vectors


@pytest.mark.parametrize(
    ("model", "dimensions", "expected"),
    [
        ("all-MiniLM-L6-v2", None, 384),
        ("all-mpnet-base-v2", None, 768),
        ("text-embedding-3-small", None, 1536),
        ("custom", 9, 9),
    ],
)
def test_dimensions_come_from_the_model_unless_given(model, dimensions, expected):
    assert at_horizon(Corpus(model=model, dimensions=dimensions)).dimensions == expected


def test_growth_compounds_monthly():
    assert at_horizon(Corpus(vectors=1_000, growth_percent_per_month=10, horizon_months=12)).vectors == math.ceil(
        1_000 * 1.1**12
    )


@pytest.mark.parametrize(
    ("raw", "holder", "beside"),
    [
        ({}, c.EMBEDDED, None),
        ({"corpus": {"model": "custom", "dimensions": 9}}, c.OWN_VECTORS, None),
        ({"topology": "client-server"}, c.SERVER, c.REPLICA),
        (
            {"topology": "client-server", "corpus": {"model": "custom", "dimensions": 9}},
            c.SERVER,
            c.REPLICA_OWN_VECTORS,
        ),
    ],
)
def test_each_topology_is_sized_for_the_processes_it_runs(raw, holder, beside):
    need = topologies.sized(load_settings(raw, "dev"))
    assert need.store.process is holder
    assert (need.replica and need.replica.process) is beside
    assert need.replicas == (2 if beside else 0)


def test_chromas_server_is_sized_for_what_its_own_clients_may_send_and_the_gateway_lets_in():
    small = {"topology": "client-server", "api": {"max_body_mib": 1}}
    work = next(
        term for term in topologies.sized(load_settings(small, "dev")).store.memory_terms if term.name == "work"
    )
    assert "body of 40 MiB" in work.arithmetic
    few, many = (
        topologies.sized(load_settings({**small, "gateway": {"slots": slots}}, "dev")).store.open_files
        for slots in (4, 104)
    )
    assert many - few == 200


def test_the_least_headroom_keeps_the_peak_below_the_default_alarm():
    lowest = next(item.ge for item in Limits.model_fields["headroom_percent"].metadata if hasattr(item, "ge"))
    assert 100 * 100 / (100 + lowest) < 85
