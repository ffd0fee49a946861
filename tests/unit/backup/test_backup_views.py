from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from backup.archive_view import ArchiveView
from backup.config import ArchiveSettings
from backup.lineage import Position, new
from backup.manifest import CollectionEntry, FileEntry, Manifest, from_record, schema_version
from backup.metrics import Seen, render
from backup.state import BaseView, DrillView
from healthcheck.backup_state import read_backup_state

from backup import sizes, state

MANIFEST = Manifest(
    stack="dev",
    taken_s=1.5,
    package_version="0.1.0",
    chroma_version="1.5.9",
    schema=schema_version(),
    collections=(
        CollectionEntry("id", "name", "default_tenant", "default_database", 3, "l2", "all-MiniLM", 5, 7, 7, None),
    ),
    log_rows=7,
    newest_row=7,
    rows_to_apply=7,
    left_out=("id",),
    files=(FileEntry("chroma.sqlite3", 4096, "00" * 32),),
    archive=Position("20261123T093618Z-e4fcdb56", 12),
    copy_s=0.1,
    hash_s=0.1,
)


def test_a_manifest_comes_back_as_it_was_written() -> None:
    record = json.loads(json.dumps(replace(MANIFEST, id="abc", verified_s=2.0).as_record()))
    assert from_record(record) == replace(MANIFEST, id="abc", verified_s=2.0)
    assert (record["bytes"], record["records"]) == (4096, 5)
    assert MANIFEST.schema == {"embeddings_queue": 2, "metadb": 6, "sysdb": 10}


@pytest.mark.parametrize("change", [{"version": 2}, {"files": [{"path": "x"}]}, {"collections": None}])
def test_what_is_no_manifest_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"it has version 2|is missing or of another kind"):
        from_record({**MANIFEST.as_record(), **change})


def test_the_guard_reads_what_the_daemon_tells(tmp_path: Path) -> None:
    archive = ArchiveView(running=True, lineage="l", synced_s=100.0, measured_lag_s=0.4, why="", wal_bytes=5)
    base = BaseView(id="b", taken_s=90.0, next_s=200.0, overdue_after_s=300.0, bytes=7)
    state.publish(tmp_path, state.content(archive, base, DrillView(passed=True, ended_s=50.0), 101.0))
    told = read_backup_state(tmp_path)
    assert (told.archive.lag_s, told.base.id, told.drill.passed, told.wal_bytes) == (0.4, "b", True, 5)
    assert (tmp_path / ".cortex" / "backup.json").stat().st_mode & 0o777 == 0o644
    assert state.read(tmp_path) is not None
    assert state.read(tmp_path / "nowhere") is None


def test_lag_grows_while_nothing_can_be_measured() -> None:
    view = ArchiveView(running=True, synced_s=100.0, measured_lag_s=0.4)
    assert view.lag_s(107.0) == 0.4
    assert replace(view, measured_lag_s=None).lag_s(107.0) == 7.0
    assert replace(view, running=False).lag_s(107.0) == 7.0
    assert ArchiveView().lag_s(107.0) is None


def test_metrics_have_their_names() -> None:
    seen = Seen(ArchiveView(synced_s=1.0), BaseView(taken_s=1.0), DrillView(), None, None, 3, {}, {}, now_s=2.0)
    text = render(seen)
    for name in ("cortex_archive_running 0.0", "cortex_backup_bases 3.0", "cortex_archive_lag_seconds 1.0"):
        assert name in text


LIMITS = ArchiveSettings(7, 3, 30, 100, 1_000, Path("/staging"))
FINE = sizes.Sizes(staging=5_000, waiting=90, wal=900, staging_free=500, staging_total=1_000)


@pytest.mark.parametrize(
    ("found", "arriving", "why"),
    [
        (FINE, False, ""),
        (replace(FINE, wal=1_001), True, "write-ahead log has 1,001 bytes"),
        (replace(FINE, waiting=101), True, ""),
        (replace(FINE, waiting=101), False, "101 bytes wait for the target, and at most 100 may"),
        (replace(FINE, staging_free=40), False, "only 40 bytes are free"),
    ],
)
def test_limits_of_what_lies_here(found: sizes.Sizes, arriving: bool, why: str) -> None:
    said = sizes.passed(found, LIMITS, arriving=arriving)
    assert why in said
    assert bool(said) == bool(why)


def test_lineages_sort_by_their_begin() -> None:
    assert new(1_795_422_000.0).id.startswith("20261123T082000Z-")
    assert new(1.0).id < new(2_000_000_000.0).id
