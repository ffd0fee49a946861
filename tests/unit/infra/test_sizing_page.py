"""The table that a preview prints, and the worked numbers of docs/sizing.md."""

from __future__ import annotations

import re

import pytest
from cortex_api import admission

from infra import document, topologies
from infra.settings import load_settings
from infra.sizing import coefficients as c
from infra.sizing import report
from ops import size

S3 = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "access_key_id": "id",
    "secret_access_key": "secret",
}
PAGE = (document.ROOT / "docs" / "sizing.md").read_text(encoding="utf-8")


def test_the_pages_example_is_what_the_command_prints():
    shown = re.search(r"`(make size [^`]*)` prints\n.*?```\n(.*?)\n```", PAGE, re.DOTALL)
    inputs = dict(pair.lower().split("=") for pair in shown[1].split()[2:])
    assert shown[2] == size.table(inputs)


def test_the_pages_comparison_is_the_codes():
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| [\d,]+ MiB \| ([\d,]+) MiB \| ([\d,]+) MiB", PAGE, re.MULTILINE)
    assert len(rows) == len(document.COMPARED)
    for vectors, dimensions, limit, rule in ([int(cell.replace(",", "")) for cell in row] for row in rows):
        corpus = {"vectors": vectors, "dimensions": dimensions, "model": "custom", "batch_rows": 500}
        if dimensions == 384:
            corpus = {"vectors": vectors}
        need = topologies.sized(load_settings({"corpus": corpus}, "x")).store
        assert need.memory_limit_bytes == limit * c.MIB
        assert limit > rule


def test_the_pages_words_about_the_rule_are_right():
    per_vector_bytes = 1e9 / c.RULE_MILLION_VECTORS_PER_GB / 1e6
    raw_bytes = 4 * c.RULE_DIMENSIONS
    assert f"{per_vector_bytes / 1000:.2f} KB" == "4.08 KB"
    assert "That is 4.08 KB" in " ".join(PAGE.split())
    assert per_vector_bytes < raw_bytes
    for dimensions, percent in ((384, 33), (128, 98)):
        assert re.search(rf"{percent} % more\b.* at {dimensions}\b", " ".join(PAGE.split()))
        # Measured: 496 B beyond the raw floats, with short ids.
        measured = (4 * dimensions + 496) / (per_vector_bytes * dimensions / c.RULE_DIMENSIONS) - 1
        assert measured * 100 == pytest.approx(percent, abs=0.5)


def test_the_page_says_every_coefficient():
    for value in (c.EMBEDDED.base_bytes // c.MB, c.SERVER.base_bytes // c.MB, c.EMBEDDED.vector_overhead_bytes):
        assert f"{value}" in PAGE.partition("## An example")[0]


def test_the_table_adds_up_and_shows_limits_set_by_hand():
    need = topologies.sized(load_settings({}, "dev")).store
    text = report.table(need, memory_limit_bytes=4096 * c.MIB, disk_bytes=50 * c.GIB)
    memory, disk = text.split("  disk\n")
    shown = [
        float(amount.replace(",", "")) for amount in re.findall(r"([\d,.]+) MB", memory.split("predicted peak")[0])
    ]
    peak = float(re.search(r"predicted peak +([\d,.]+) MB", memory)[1].replace(",", ""))
    assert len(shown) >= len(need.memory_terms)
    assert need.memory_peak_bytes / c.MB == pytest.approx(peak, abs=0.1)
    assert re.search(r"limit \(\+25 %\) .* = [\d,]+ MiB", memory)
    assert re.search(r"set by hand +4,295.0 MB  = 4,096 MiB", memory)
    assert "0.245 M vectors a GB, raw vectors only: not used" in memory
    assert re.search(r"volume \(full at 80 %\) .* = \d+ GiB", disk)
    assert re.search(r"set by hand .* = 50 GiB", disk)
    assert "set by hand" not in report.table(need)


def test_every_term_is_a_line_of_the_table():
    need = topologies.sized(load_settings({}, "dev")).store
    text = report.table(need)
    for term in (*need.memory_terms, *need.disk_terms):
        assert re.search(rf"^    {re.escape(term.name)} .* MB  {re.escape(term.arithmetic)}$", text, re.MULTILINE), term


def lines_of(text: str, below: str) -> str:
    """The lines of a table from one that begins with these words, to the next that stands at the margin."""
    part = re.search(rf"^{re.escape(below)}.*(\n .*)*", text, re.MULTILINE)
    assert part is not None, below
    return part[0]


def test_the_table_of_a_stack_has_every_part_and_their_sum():
    raw = {"topology": "client-server", "api": {"replicas": 3}}
    need = topologies.sized(load_settings(raw, "dev"))
    text = report.stack_table(need)
    assert text.startswith(report.table(need.store) + "\n")
    replica = lines_of(text, "API replica (each of 3)")
    for term in need.replica.memory_terms:
        assert re.search(rf"^    {re.escape(term.name)} .* MB  {re.escape(term.arithmetic)}$", replica, re.MULTILINE)
    each_mib = need.replica.memory_limit_bytes // c.MIB
    assert re.search(rf"limit \(\+25 %\) .* = {each_mib:,} MiB, {3 * each_mib:,} MiB for all$", replica, re.MULTILINE)
    assert re.search(rf"^gateway .* = {need.gateway_memory_bytes // c.MIB:,} MiB$", text, re.MULTILINE)
    assert re.search(rf"^archiver .* = {need.archiver_memory_bytes // c.MIB:,} MiB$", text, re.MULTILINE)
    assert re.search(rf"^drill .* = {need.drill_memory_bytes // c.MIB:,} MiB$", text, re.MULTILINE)
    all_bytes = need.store.memory_limit_bytes + 3 * need.replica.memory_limit_bytes + need.gateway_memory_bytes
    all_bytes += need.archiver_memory_bytes + need.drill_memory_bytes
    assert text.splitlines()[-1].startswith("stack, all limits ")
    assert text.endswith(f"= {all_bytes // c.MIB:,} MiB")


def test_the_table_of_a_stack_counts_a_limit_set_by_hand_and_no_replicas_where_there_are_none():
    need = topologies.sized(load_settings({}, "dev"))
    text = report.stack_table(need, memory_limit_bytes=4096 * c.MIB, disk_bytes=50 * c.GIB)
    assert text.startswith(report.table(need.store, memory_limit_bytes=4096 * c.MIB, disk_bytes=50 * c.GIB))
    assert "replica" not in text
    beside_bytes = need.gateway_memory_bytes + need.archiver_memory_bytes + need.drill_memory_bytes
    assert text.endswith(f"= {4096 + beside_bytes // c.MIB:,} MiB")


def test_the_table_of_a_stack_has_no_backups_where_there_are_none():
    need = topologies.sized(load_settings({"backup": {"target": "none"}}, "dev"))
    text = report.stack_table(need)
    assert not re.search("^(archiver|drill|backups) ", text, re.MULTILINE)
    assert text.endswith(f"= {(need.store.memory_limit_bytes + need.gateway_memory_bytes) // c.MIB:,} MiB")


def test_the_disk_of_backups_is_shown_by_place_and_adds_up():
    for raw, at_target in (({}, False), ({"backup": S3}, True)):
        need = topologies.sized(load_settings(raw, "dev")).backups
        shown = lines_of(report.stack_table(topologies.sized(load_settings(raw, "dev"))), "backups ")
        where = ", at the target" if at_target else ""
        for term in (*need.target_terms, need.copies):
            assert re.search(rf"^    {re.escape(term.name)} .* MB  {re.escape(term.arithmetic)}{where}$", shown, re.M)
        for term in (*need.lasting_terms, *need.passing_terms):
            assert re.search(rf"^    {re.escape(term.name)} .* MB  {re.escape(term.arithmetic)}$", shown, re.MULTILINE)
        amounts = {
            name.strip(): float(amount.replace(",", ""))
            for name, amount in re.findall(r"^    (.{22}) +(-?[\d,.]+) MB", shown, re.MULTILINE)
        }
        total = amounts.pop("on the store's host")
        elsewhere = {name for name in amounts if name.startswith("backups (")} if at_target else {"backups (snapshots)"}
        assert sum(amount for name, amount in amounts.items() if name not in elsewhere) == pytest.approx(total, abs=0.5)
        assert total == pytest.approx(need.here_bytes / c.MB, abs=0.1)
        assert ("when the archive's days are full" in shown) is not at_target


def test_sizing_counts_the_bodies_that_the_api_lets_in_together():
    assert c.BODIES_IN_FLIGHT == admission.BODIES_IN_FLIGHT
