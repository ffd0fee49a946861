"""What verify sees beside damaged files, and what it leaves to a backup to decide."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from store.verification import run as verification_run
from store.verification.pacing import Pace

import store
from store import Depth, FindingKind, Remedy, index
from tests.unit.store import damage
from tests.unit.store.damage import folder, sql

Kind = FindingKind
DEPTHS = list(Depth)


def everything(path: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(file.relative_to(path)): (file.stat().st_mtime_ns, file.read_bytes())
        for file in path.rglob("*")
        if file.is_file() and not file.name.endswith(("-shm", "-wal"))
    }


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_sound_store_is_sound_and_stays_as_it_is(sound: Path, depth: Depth) -> None:
    before = everything(sound)
    found = store.verify(sound, depth)
    assert found.findings == ()
    assert found.busy == ()
    assert (found.collections, found.records) == (10, 723)
    assert found.vectors_compared == (700 if depth is Depth.EMBEDDINGS else 0)
    assert everything(sound) == before


def test_an_index_that_was_never_saved_is_normal(sound: Path) -> None:
    assert not (folder(sound, "few") / damage.PICKLE).exists()
    assert (folder(sound, "few") / "header.bin").exists(), "the case is gone: Chroma makes the files at the first write"
    assert store.verify(sound, Depth.EMBEDDINGS).is_sound


def records_of(path: Path, name: str) -> str:
    query = "SELECT segments.id FROM segments JOIN collections ON collections.id = collection AND scope = 'METADATA'"
    return str(damage.ask(path, f"{query} WHERE name = ?", [name])[0][0])


def lose_record(path: Path) -> None:
    sql(path, "DELETE FROM embeddings WHERE embedding_id = 'row-40' AND segment_id = ?", [records_of(path, "plain")])


def resurrect_record(path: Path) -> None:
    sql(
        path,
        "INSERT INTO embeddings (segment_id, embedding_id, seq_id) VALUES (?, 'row-12', 1)",
        [records_of(path, "plain")],
    )


CHANGE_NUMBER = """
UPDATE embedding_metadata SET int_value = 41
WHERE key = 'n' AND id = (SELECT id FROM embeddings WHERE embedding_id = 'row-40' AND segment_id = ?)
"""
CHANGE_DOCUMENT = """
UPDATE embedding_metadata SET string_value = 'other'
WHERE key = 'chroma:document' AND id = (SELECT id FROM embeddings WHERE embedding_id = 'row-40' AND segment_id = ?)
"""
CHANGE_TEXT_INDEX = """
UPDATE embedding_fulltext_search_content SET c0 = 'other'
WHERE id = (SELECT id FROM embeddings WHERE embedding_id = 'row-40' AND segment_id = ?)
"""


def change(statement: str) -> Callable[[Path], None]:
    return lambda path: sql(path, statement, [records_of(path, "plain")])


def lose_logged_row(path: Path) -> None:
    sql(path, "DELETE FROM embeddings_queue WHERE id = 'row-40' AND topic LIKE ?", [damage.topic(path, "plain")])


def lose_vector_everywhere(path: Path) -> None:
    """The record is there, and its vector is neither in the log nor in the index, which was never saved."""
    sql(path, "DELETE FROM embeddings_queue WHERE id = 'row-4' AND topic LIKE ?", [damage.topic(path, "few")])


def lose_segment(path: Path) -> None:
    sql(path, "DELETE FROM segments WHERE id = ?", [damage.segment(path, "few")])


def switch_log_off(path: Path) -> None:
    sql(path, """UPDATE embeddings_queue_config SET config_json_str = '{"automatically_purge":true}'""")


UNDECIDED: dict[str, tuple[Callable[[Path], object], Depth, FindingKind, Remedy, tuple[str, ...]]] = {
    "flipped bit in the index": (
        lambda path: damage.flip(folder(path, "plain") / damage.DATA, damage.vector_offset(path, "plain", "row-40")),
        Depth.EMBEDDINGS, Kind.DISAGREEMENT, Remedy.UNDECIDED, ("row-40",),
    ),
    "flipped vector in the log": (
        lambda path: damage.flip_logged_vector(path, "inner", "row-41"),
        Depth.EMBEDDINGS, Kind.DISAGREEMENT, Remedy.UNDECIDED, ("row-41",),
    ),
    "flipped vector in the log, space cosine": (
        lambda path: damage.flip_logged_vector(path, "angles", "row-41"),
        Depth.EMBEDDINGS, Kind.DISAGREEMENT, Remedy.UNDECIDED, ("row-41",),
    ),
    "record lost": (lose_record, Depth.INDEX, Kind.RECORD_WRONG, Remedy.UNDECIDED, ("row-40",)),
    "record back from the dead": (resurrect_record, Depth.INDEX, Kind.RECORD_WRONG, Remedy.UNDECIDED, ("row-12",)),
    "metadata changed": (
        change(CHANGE_NUMBER), Depth.EMBEDDINGS, Kind.RECORD_WRONG, Remedy.UNDECIDED, ("row-40",)
    ),
    "document changed": (
        change(CHANGE_DOCUMENT), Depth.EMBEDDINGS, Kind.RECORD_WRONG, Remedy.UNDECIDED, ("row-40",)
    ),
    "text index differs": (
        change(CHANGE_TEXT_INDEX), Depth.EMBEDDINGS, Kind.RECORD_WRONG, Remedy.UNDECIDED, ("row-40",)
    ),
    "log row lost": (lose_logged_row, Depth.INDEX, Kind.LOG_PURGED, Remedy.ADOPT, ("row-40",)),
    "vector nowhere": (lose_vector_everywhere, Depth.EMBEDDINGS, Kind.LOG_PURGED, Remedy.RESTORE, ("row-4",)),
    "segment lost": (lose_segment, Depth.QUICK, Kind.SEGMENTS_WRONG, Remedy.RESTORE, ()),
    "log switched off": (switch_log_off, Depth.QUICK, Kind.LOG_OFF, Remedy.PREPARE, ()),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_the_log_cannot_prove_is_told_and_left_alone(sound: Path, name: str) -> None:
    spoil, depth, kind, remedy, ids = UNDECIDED[name]
    spoil(sound)
    if name == "segment lost":  # its folder belongs to nobody now
        shutil.rmtree(next(each for each in sound.iterdir() if each.is_dir() and not folder_known(sound, each)))
    before = everything(sound)
    found = store.verify(sound, depth)
    assert [(each.kind, each.remedy, each.ids) for each in found.findings] == [(kind, remedy, ids)]
    assert found.undecided == found.findings
    done = store.repair(sound, depth=depth)
    assert done.undecided == found.findings
    assert not done.is_whole
    assert (done.rebuilt, done.removed, done.aside) == ((), (), ())
    assert everything(sound) == before


def folder_known(path: Path, entry: Path) -> bool:
    return bool(damage.ask(path, "SELECT 1 FROM segments WHERE id = ?", [entry.name]))


def test_an_undecided_collection_is_not_rebuilt_even_where_more_of_it_is_wrong(sound: Path) -> None:
    for id_ in ("row-40", "row-41"):
        offset = damage.vector_offset(sound, "plain", id_)
        damage.flip(folder(sound, "plain") / damage.DATA, offset)
    damage.overwrite(
        folder(sound, "plain") / damage.DATA, damage.vector_offset(sound, "plain", "row-42"), b"\0\0\xc0\x7f"
    )
    found = store.verify(sound, Depth.EMBEDDINGS)
    assert {(each.kind, each.count) for each in found.findings} == {(Kind.DISAGREEMENT, 2), (Kind.INDEX_WRONG, 1)}
    done = store.repair(sound, found)
    assert done.rebuilt == ()
    assert len(done.undecided) == 2


def test_trust_ends_with_files_that_are_older(sound: Path) -> None:
    damage.flip(folder(sound, "plain") / damage.DATA, damage.vector_offset(sound, "plain", "row-40"))
    since = time.time_ns() + 10**9
    found = store.verify(sound, Depth.EMBEDDINGS, trust_log_since_ns=since)
    assert [each.kind for each in found.findings] == [Kind.DISAGREEMENT]


def test_what_has_not_changed_since_is_looked_at_quickly(sound: Path) -> None:
    damage.flip(
        folder(sound, "plain") / damage.DATA, damage.vector_offset(sound, "plain", damage.unsampled(sound, "plain"))
    )
    changed = index.stamp(folder(sound, "plain")).modified_ns
    later = store.verify(sound, Depth.EMBEDDINGS, only_changed_since_ns=changed + 1)
    assert later.is_sound
    assert later.vectors_compared == 0
    now = store.verify(sound, Depth.EMBEDDINGS, only_changed_since_ns=changed)
    assert [each.kind for each in now.findings] == [Kind.DISAGREEMENT]
    assert now.vectors_compared == 140


def test_a_cut_database_is_damaged(sound: Path) -> None:
    with closing(sqlite3.connect(sound / "chroma.sqlite3")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for left_over in sound.glob("chroma.sqlite3-*"):
        left_over.unlink()
    damage.cut(sound / "chroma.sqlite3")
    found = store.verify(sound)
    assert [(each.kind, each.remedy) for each in found.findings] == [(Kind.SQLITE_DAMAGED, Remedy.RESTORE)]


def test_an_overwritten_page_of_the_database_is_damage_and_stops_every_repair(sound: Path) -> None:
    with closing(sqlite3.connect(sound / "chroma.sqlite3")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'embedding_metadata'").fetchone()
        (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
    damage.overwrite(sound / "chroma.sqlite3", (root - 1) * page_bytes, b"\xff" * page_bytes)
    damage.orphan(sound)
    found = store.verify(sound, Depth.EMBEDDINGS)
    assert Kind.SQLITE_DAMAGED in {each.kind for each in found.findings}
    done = store.repair(sound, found)
    assert done.removed == ()
    assert set(done.undecided) == set(found.findings)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_store_of_another_kind_is_refused(store_of_kind: Callable[[str], Path], depth: Depth) -> None:
    path = store_of_kind("fresh")
    sql(path, "DELETE FROM migrations WHERE dir = 'metadb' AND version = 6")
    with pytest.raises(store.UnknownSchema):
        store.verify(path, depth)
    with pytest.raises(store.UnknownSchema):
        store.inspect(path)
    with pytest.raises(store.StoreMissing):
        store.verify(path / "nowhere", depth)


FIRST_ROWS_TO_ADDS = """
UPDATE embeddings_queue SET operation = 0
WHERE topic LIKE ? AND seq_id IN (SELECT min(seq_id) FROM embeddings_queue GROUP BY topic, id)
"""


def reverse_logged_adds(path: Path) -> None:
    for seq_id, vector in damage.ask(path, "SELECT seq_id, vector FROM embeddings_queue WHERE operation = 0"):
        assert isinstance(vector, bytes)
        sql(path, "UPDATE embeddings_queue SET vector = ? WHERE seq_id = ?", [vector[::-1], seq_id])


def test_a_glance_compares_adds_but_not_those_that_were_ignored(
    sound: Path, store_of_kind: Callable[[str], Path]
) -> None:
    sql(sound, FIRST_ROWS_TO_ADDS, [damage.topic(sound, "twin-a")])
    assert store.verify(sound).is_sound
    reverse_logged_adds(sound)
    assert {each.collection_name for each in store.verify(sound).findings} == {"twin-a"}
    ignored = store_of_kind("readded")
    reverse_logged_adds(ignored)
    assert [each.kind for each in store.verify(ignored).findings] == [Kind.LOG_OFF]


def test_a_stock_store_is_told_to_be_adopted(store_of_kind: Callable[[str], Path]) -> None:
    path = store_of_kind("purged")
    found = store.verify(path, Depth.EMBEDDINGS)
    assert [(each.kind, each.remedy, each.count) for each in found.findings] == [
        (Kind.LOG_OFF, Remedy.PREPARE, 0),
        (Kind.LOG_PURGED, Remedy.ADOPT, 99),
    ]


def test_an_index_that_is_saved_all_the_time_is_busy_and_not_damaged(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification_run, "_AGAIN_AFTER_S", 0)
    read = verification_run.fits

    def saved_meanwhile(subject: object, behind: object) -> bool:
        result = read(subject, behind)  # type: ignore[arg-type]
        (folder(sound, "plain") / "header.bin").touch()
        return result

    monkeypatch.setattr(verification_run, "fits", saved_meanwhile)
    found = store.verify(sound)
    assert found.busy == ("plain",)
    assert found.findings == ()
    done = store.repair(sound, found)
    assert not done.is_whole


@pytest.mark.parametrize("depth", DEPTHS)
def test_beside_a_server_that_writes_nothing_is_found(sound: Path, depth: Depth) -> None:
    """The real Chroma saves, deletes and makes collections all the while."""
    script = Path(__file__).with_name("write_steadily.py")
    writer = subprocess.Popen([sys.executable, script, sound], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        seen = [store.verify(sound, depth) for _ in range(3)]
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.communicate()
    assert [each.findings for each in seen] == [()] * 3


def test_reading_is_paced() -> None:
    now, slept = [0.0], []

    def sleep(duration_s: float) -> None:
        slept.append(duration_s)
        now[0] += duration_s

    pace = Pace(1_000_000, clock=lambda: now[0], sleep=sleep)
    for _ in range(1000):
        pace.spent(5_000)
    assert 4.8 < sum(slept) <= 5.0
    assert min(slept) >= 0.02
    now[0] += 60  # an idle minute is no reason for a burst
    pace.spent(1_000_000)
    assert slept[-1] > 0.8


def test_a_paced_verification_takes_its_time(sound: Path) -> None:
    bytes_read = store.verify(sound, Depth.INDEX).bytes_read
    found = store.verify(sound, Depth.INDEX, bytes_per_s=bytes_read)
    assert found.is_sound
    assert 0.7 < found.took_s < 5


def test_progress_is_told(sound: Path) -> None:
    told: list[tuple[str, int, int]] = []
    store.verify(sound, Depth.EMBEDDINGS, progress=lambda *each: told.append(each))
    assert told[-1] == ("verifying collections", 10, 10)
    assert ("checking SQLite's file", 1, 1) in told
    assert any(what == "verifying plain" and done == of > 0 for what, done, of in told)
