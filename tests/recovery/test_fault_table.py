"""Every fault once, two at a time; each is seen, and is as docs/faults.md says."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.recovery.fault_run import NOT_MEASURED
from tests.recovery.fault_table import PAGE, as_table, from_page, run_all
from tests.recovery.faults import FAULTS

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]  # the first test waits for all faults

COMPARED = ("title", "seen", "did", "end", "person", "lost")
"""Without what depends on the moment (when it was said, which judgements came along), and without stock Chroma, which
does not change with this code."""


@pytest.fixture(scope="module")
def outcomes():
    return {outcome.name: outcome for outcome in run_all(FAULTS, lambda _: None, stock=False)}


@pytest.fixture(scope="module")
def page():
    return from_page(PAGE.read_text())


def test_the_page_has_every_fault_and_no_other(page):
    assert list(page) == [fault.name for fault in FAULTS]


def test_what_is_written_reads_back(outcomes):
    read = from_page(as_table(outcomes.values()))
    assert all(read[name]["says"] == outcome.says for name, outcome in outcomes.items())


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS])
def test_fault_is_as_the_page_says(outcomes, page, name):
    found, written = asdict(outcomes[name]), page[name]
    if found["seen"] == NOT_MEASURED:  # the page is from a machine where it could be
        assert next(fault for fault in FAULTS if fault.name == name).memory_bytes is not None
        return
    assert found["seen"] != "never"
    assert {key: found[key] for key in COMPARED} == {key: written[key] for key in COMPARED}
    said, expected = set(found["says"].split(", ")), set(written["says"].split(", "))
    assert found["seen"] != "scrub" or "scrub degraded" in said
    assert said & expected, f"says {found['says']!r}, the page has {written['says']!r}"
