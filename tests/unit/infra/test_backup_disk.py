"""What backups take on the store's host: each place, what changes it, and what is said where there is no room."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import feasibility, sizing, topologies
from infra.feasibility import SPARE_DISK_BYTES, Host
from infra.platforms.docker import host as docker_host
from infra.settings import load_settings
from infra.sizing import BackupSizing, StackSizing, StoredCorpus
from infra.sizing import coefficients as c
from infra.vocabulary import Topology

SMALL_BYTES = 20_000_000_000
"""Free on a small machine."""
S3 = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "access_key_id": "id",
    "secret_access_key": "secret",
}
SFTP = {"target": "sftp", "host": "h", "user": "u", "private_key": "secret", "host_key": "ssh-ed25519 AAAA"}
DIRECTORY = {"target": "directory", "directory": "/mnt/backups"}
CORPORA = st.builds(
    StoredCorpus,
    vectors=st.integers(1, 5_000_000),
    dimensions=st.integers(1, 4_096),
    collections=st.integers(1, 1_000),
    document_bytes=st.integers(0, 20_000),
    metadata_bytes=st.integers(0, 5_000),
    batch_rows=st.integers(1, 5_000),
    log_rows=st.integers(1, 50_000_000),
)
GIVEN: dict[str, Any] = {"archive_days": 7, "staging_bytes": 1 << 29, "drills": True, "target_here": True}


def sized(backup: dict[str, Any] | None = None, **raw: Any) -> StackSizing:
    return topologies.sized(load_settings({"backup": backup or {}, **raw}, "dev"))


def told(host: Host, backup: dict[str, Any] | None = None, **raw: Any) -> list[str]:
    settings = load_settings({"backup": backup or {}, **raw}, "dev")
    return [str(each) for each in feasibility.problems(settings, topologies.sized(settings), host)]


def warned(host: Host, backup: dict[str, Any] | None = None) -> list[str]:
    settings = load_settings({"backup": backup or {}}, "dev")
    return [*feasibility.warnings(settings, topologies.sized(settings), host)]


def places(need: BackupSizing) -> dict[str, int]:
    """Bytes by place of a target that is here."""
    terms = (*need.target_terms, *need.lasting_terms, *need.passing_terms)
    return {term.name: term.amount_bytes for term in terms}


@given(CORPORA, st.integers(1, 50_000_000))
def test_a_place_holds_what_the_store_is_then(corpus, log_rows):
    need = sizing.size_backups(corpus, log_rows=log_rows, **GIVEN)
    disk = {term.name: term.amount_bytes for term in sizing.sizing.disk_terms(replace(corpus, log_rows=log_rows))}
    file_bytes = disk.pop("room to compact")
    store_bytes = sum(disk.values())
    held = places(need)
    assert held["scratch"] == store_bytes
    assert held["drill-scratch"] == 2 * store_bytes + file_bytes
    assert held["staging"] == GIVEN["staging_bytes"]
    assert 100 * held["backups (archive)"] >= c.ARCHIVE_PERCENT * file_bytes
    assert 100 * held["backups (bases)"] >= c.BASES_PERCENT * store_bytes
    assert need.copies.amount_bytes == 3 * file_bytes
    assert need.here_bytes == sum(held.values()) - need.shared_bytes
    # Never less than what stays, whatever room there is to compact.
    assert need.here_bytes >= sum(term.amount_bytes for term in (*need.target_terms, *need.lasting_terms))


@given(CORPORA, st.integers(1, 100), st.integers(0, 10_000_000))
def test_compaction_leaves_no_more_rows_than_there_are_and_no_less_than_live_ones(corpus, percent, between):
    rows = sizing.rows_left(corpus, percent, between)
    assert min(corpus.vectors, corpus.log_rows) <= rows <= corpus.log_rows
    assert sizing.rows_left(corpus, 100, between) == corpus.log_rows
    if percent < 100 and rows < corpus.log_rows:
        superseded = rows - between - corpus.vectors
        assert superseded * 100 >= percent * (rows - between) - 100


def test_the_measured_rows_are_covered():
    """384 dimensions and short texts; B a row."""
    corpus = StoredCorpus(100_000, 384, 1, 20, 0, 500, 100_000)
    held = places(sizing.size_backups(corpus, log_rows=corpus.log_rows, **GIVEN))
    for place, least, most in (
        ("scratch", 4_200, 6_500),
        ("backups (archive)", 4_300, 6_500),
        ("backups (bases)", 2_850, 4_300),
    ):
        assert least <= held[place] / corpus.vectors <= most, place


@pytest.mark.parametrize("target", [S3, SFTP, DIRECTORY], ids=["s3", "sftp", "directory"])
def test_a_target_that_is_no_volume_is_not_counted_here(target):
    here, there = sized().backups, sized(target).backups
    at_target = sum(term.amount_bytes for term in here.target_terms)
    assert there.target_terms == here.target_terms
    assert there.here_bytes == here.here_bytes - at_target
    assert there.later_bytes == 0 < here.later_bytes


def test_settings_that_take_less():
    plain = sized().backups
    assert sized({"target": "none"}).backups is None
    assert "drill-scratch" not in places(sized({"drill_schedule": "never"}).backups)
    assert sized({"drill_schedule": "never"}).backups.here_bytes < plain.here_bytes
    smaller = sized({"staging_mib": 64}).backups
    assert plain.here_bytes - smaller.here_bytes == (512 - 64) * c.MIB
    # Whole copies of the log: after 3, 6 and 9 of 10 days, or after 1 and 2 of 2.
    assert sized({"archive_days": 1}).backups.later_bytes * 3 == plain.later_bytes * 2
    never = sized(maintenance={"window": "never"}).backups
    assert never.here_bytes > plain.here_bytes


@pytest.mark.parametrize("topology", list(Topology))
def test_the_defaults_fit_on_a_small_machine(topology):
    assert told(Host(free_disk_bytes=SMALL_BYTES), topology=topology.value) == []


def test_a_disk_without_room_for_backups_says_what_would_do():
    need = sized()
    room = need.store.disk_bytes + SPARE_DISK_BYTES
    free = Host(free_disk_bytes=room + need.backups.here_bytes - c.GIB)
    (text,) = told(free)
    assert text == (
        f"cortex:backup.target = volume\n    plans {need.backups.here_bytes / c.GIB:.1f} GiB beside the store (backups"
        " (archive) 2.5, backups (bases) 1.1, staging 0.5, scratch 1.8, drill-scratch 5.0 GiB; 2.4 GiB of it within the"
        f" store's room to compact), and Docker's filesystem has {free.free_disk_bytes / c.GIB:.1f} GiB free: 1.0 GiB"
        " short (with the store, and 2 GiB to spare); set another cortex:backup.target, such as s3, set"
        " cortex:backup.drill_schedule never, set a smaller cortex:backup.staging_mib, or free some space (docker"
        " system df shows what can go)"
    )
    # Each of them does, or is not named.
    assert told(free, S3) == told(free, {"drill_schedule": "never"}) == []
    (elsewhere,) = told(Host(free_disk_bytes=room), S3)
    assert "another cortex:backup.target" not in elsewhere
    assert "archive" not in elsewhere
    (no_drills,) = told(Host(free_disk_bytes=room), {"drill_schedule": "never"})
    assert "drill" not in no_drills
    assert told(Host(free_disk_bytes=room), {"target": "none"}) == []
    # A store without room is told of first.
    (store,) = told(Host(free_disk_bytes=room - 1))
    assert store.startswith("cortex:corpus.vectors")


def test_backups_that_are_there_but_cannot_be_read_are_not_asked_for_room_again():
    room = sized().store.disk_bytes + SPARE_DISK_BYTES
    assert told(Host(free_disk_bytes=room, has_store=True)) == []
    assert warned(Host(free_disk_bytes=room, has_store=True)) == []
    for known in (
        Host(free_disk_bytes=room, has_store=True, backup_bytes=0),
        Host(free_disk_bytes=room, has_store=False),
    ):
        assert len(told(known)) == 1


def test_an_archive_that_will_outgrow_the_disk_is_warned_of():
    need = sized()
    enough = need.store.disk_bytes + SPARE_DISK_BYTES + need.backups.here_bytes + need.backups.later_bytes
    assert warned(Host(free_disk_bytes=enough)) == []
    assert (
        warned(Host())
        == warned(Host(free_disk_bytes=1), S3)
        == warned(Host(free_disk_bytes=1), {"target": "none"})
        == []
    )
    (text,) = warned(Host(free_disk_bytes=enough - c.GIB))
    later_gib = f"{need.backups.later_bytes / c.GIB:.1f}"
    assert text == (
        f"cortex:backup.archive_days = 7: within 10 days the archive grows by up to {later_gib}"
        " GiB in its volume, and Docker's filesystem is 1.0 GiB short of that; set fewer, or another"
        " cortex:backup.target, such as s3"
    )
    assert warned(Host(free_disk_bytes=enough - c.GIB), {"archive_days": 3}) == []


def test_what_the_volumes_of_backups_hold_is_looked_at(tmp_path, monkeypatch):
    for volume, size in (("backups", 8_192), ("drill-scratch", 4_096), ("store", 65_536)):
        folder = tmp_path / "volumes" / f"cortex-dev-{volume}" / "_data" / "within"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * size)
    monkeypatch.setattr(docker_host.os, "access", lambda *_: True)
    assert docker_host._backup_bytes(tmp_path, "dev") == 8_192 + 4_096
    assert docker_host._backup_bytes(tmp_path, "prod") == 0
    monkeypatch.setattr(docker_host.os, "access", lambda *_: False)
    assert docker_host._backup_bytes(tmp_path, "dev") is None
