"""Before a start: predicted memory, time for rebuilding, open files, and what a verification found."""

import resource

import pytest
from healthcheck.files import shortage
from healthcheck.findings import count_findings
from healthcheck.limits import MemoryModel
from healthcheck.predicting import Stored, memory_shortage, rebuild_seconds, stored

MODEL = MemoryModel(base_bytes=100 << 20, vector_overhead_bytes=500, collection_bytes=3 << 20, work_bytes=50 << 20)
INSPECTION = {
    "collections": [
        {"records": 1000, "dimensions": 384, "lag_rows": 0},
        {"records": 0, "dimensions": None, "lag_rows": 0},
        {"records": 2000, "dimensions": 768, "lag_rows": 800},
    ]
}


def test_figures_of_the_inspection() -> None:
    found = stored(INSPECTION)
    assert found == Stored(3, 3000, 4 * (1000 * 384 + 2000 * 768), 800, 1600.0)
    assert rebuild_seconds(found) == 4.0
    assert stored({}) == Stored(0, 0, 0, 0, 0.0)


def test_small_vectors_still_take_time() -> None:
    found = stored({"collections": [{"records": 1, "dimensions": 4, "lag_rows": 1200}]})
    assert rebuild_seconds(found) == 1.0


def test_memory_that_does() -> None:
    assert memory_shortage(MODEL, stored(INSPECTION), 1 << 30, "the container's limit") == ""


def test_memory_that_is_short_shows_the_arithmetic() -> None:
    said = memory_shortage(MODEL, stored(INSPECTION), 128 << 20, "the container's limit")
    # 100 MiB + 50 MiB + 3 x 3 MiB + (7,680,000 + 3,000 x 500) B = 167.8 MiB
    for words in ("168 MiB", "server 100 MiB", "work 50.0 MiB", "3 collections 9.0 MiB", "3,000 vectors 8.8 MiB"):
        assert words in said
    assert "the container's limit is 128 MiB" in said
    assert "HEALTH_ON_MEMORY_SHORT=degraded" in said


def test_open_files() -> None:
    assert shortage(1024, 1024) == ""
    assert shortage(resource.RLIM_INFINITY, 10**9) == ""
    assert "up to 1025 open files" in shortage(1024, 1025)


def finding(kind: str, remedy: str) -> dict[str, object]:
    return {"kind": kind, "remedy": remedy, "collection_name": "a", "detail": "why"}


def test_findings_are_counted_by_what_helps() -> None:
    found = count_findings(
        {
            "findings": [
                finding("index_torn", "rebuild"),
                finding("orphan_folder", "remove"),
                finding("disagreement", "undecided"),
                finding("sqlite_damaged", "restore"),
                finding("record_wrong", "restore"),
            ]
        }
    )
    assert (found.findings, found.mendable, found.removable, found.undecided, found.unmended) == (5, 1, 1, 1, 2)
    assert found.fatal == ("sqlite_damaged in a: why (remedy: restore)",)
    assert len(found.lines) == 5


@pytest.mark.parametrize("result", [{}, {"findings": []}, {"findings": None}, {"findings": ["x"]}])
def test_nothing_found(result: dict[str, object]) -> None:
    assert count_findings(result).findings == 0
