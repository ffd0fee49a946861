"""What is worth doing in a maintenance window, and what fits into it."""

from typing import Any

import pytest
from healthcheck.limits import Limits
from healthcheck.maintenance import MaintenancePlan, StepKind, plan_maintenance
from hypothesis import given
from hypothesis import strategies as st


def collection(**fields: Any) -> dict[str, Any]:
    return {
        "id": "c-1", "dimensions": 384, "records": 10_000, "superseded_rows": 0, "index_bytes": 20 << 20,
        "index_elements": 10_000, "index_tombstones": 0, **fields,
    }  # fmt: skip


def store(*collections: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "collections": list(collections),
        "orphans": [],
        "log_rows": 100_000,
        "superseded_rows": sum(each["superseded_rows"] for each in collections),
        "sqlite_bytes": 200 << 20,
        **fields,
    }


def kinds(plan: MaintenancePlan) -> list[str]:
    return [str(step.kind) for step in plan.steps]


def test_nothing_to_do() -> None:
    assert plan_maintenance(store(collection()), Limits()) == MaintenancePlan()


def test_orphans_are_always_worth_it() -> None:
    plan = plan_maintenance(store(orphans=[{"name": "x", "bytes": 1000}, {"name": "y", "bytes": 500}]), Limits())
    (step,) = plan.steps
    assert (step.kind, step.gain_bytes) == (StepKind.ORPHANS, 1500)
    assert step.estimate_s < 1
    assert "2 folders" in step.message


@pytest.mark.parametrize(
    ("superseded", "dimensions", "rows", "worth"),
    [
        (29_999, 384, 100_000, False),
        (30_000, 384, 100_000, True),
        (9_000, 384, 20_000, False),
        (9_999, 2048, 20_000, True),
        (10_000, 8, 20_000, True),
        (400, 384, 1_000, False),
        (0, 384, 0, False),
    ],
)
def test_compaction_needs_a_share_and_an_amount(superseded: int, dimensions: int, rows: int, worth: bool) -> None:
    found = store(collection(superseded_rows=superseded, dimensions=dimensions), log_rows=rows)
    assert kinds(plan_maintenance(found, Limits())) == (["compact"] if worth else [])


@pytest.mark.parametrize(
    ("elements", "tombstones", "worth"),
    [(10_000, 4_999, False), (10_000, 5_000, True), (1_500, 999, False), (None, None, False), (0, 2_000, True)],
)
def test_renewal_needs_a_share_and_an_amount(elements: int | None, tombstones: int | None, worth: bool) -> None:
    found = store(collection(index_elements=elements, index_tombstones=tombstones))
    assert kinds(plan_maintenance(found, Limits())) == (["renew"] if worth else [])


def test_the_settings_move_the_shares() -> None:
    found = store(collection(superseded_rows=20_000, index_tombstones=3_000))
    assert kinds(plan_maintenance(found, Limits(compact_share=0.2, renew_share=0.3))) == ["compact", "renew"]
    assert kinds(plan_maintenance(found, Limits())) == []


def test_what_does_not_fit_is_left_out_and_the_shorter_come_first() -> None:
    found = store(
        collection(id="large", records=1_000_000, index_elements=2_000_000, index_tombstones=1_000_000),
        collection(id="small", records=4_000, index_elements=8_000, index_tombstones=4_000),
    )
    plan = plan_maintenance(found, Limits(maintenance_limit_s=60))
    assert [step.collection_id for step in plan.steps] == ["small"]
    assert [step.collection_id for step in plan.left_out] == ["large"]


@pytest.mark.parametrize("found", [{}, {"collections": None, "orphans": 5}, {"collections": [1, "x"], "log_rows": "9"}])
def test_what_is_no_inspection_leads_to_nothing(found: dict[str, Any]) -> None:
    assert plan_maintenance(found, Limits()) == MaintenancePlan()


COUNTS = st.integers(0, 10**7)
COLLECTIONS = st.builds(
    collection, records=COUNTS, superseded_rows=COUNTS, index_elements=COUNTS, index_tombstones=COUNTS,
    dimensions=st.integers(1, 4096), index_bytes=COUNTS,
)  # fmt: skip


@given(st.lists(COLLECTIONS, max_size=8), COUNTS, st.floats(1, 7200))
def test_a_plan_keeps_its_time_and_its_order(collections: list[dict[str, Any]], rows: int, limit_s: float) -> None:
    plan = plan_maintenance(store(*collections, log_rows=rows), Limits(maintenance_limit_s=limit_s))
    assert plan.estimate_s <= limit_s * (1 + 1e-9)
    assert kinds(plan) == sorted(kinds(plan), key=["orphans", "compact", "renew"].index)
    assert all(step.estimate_s >= 0 and step.gain_bytes >= 0 and step.message for step in plan.steps)
