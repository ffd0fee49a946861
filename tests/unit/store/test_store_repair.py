"""How repair behaves: killed in the middle, where the log lacks vectors, on the command line, while a server runs."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import store
from store import Depth, FindingKind, cli
from tests.unit.store import damage, sound_store
from tests.unit.store.damage import PICKLE, folder

DIE_AT = """
import os, signal, sys
from pathlib import Path
import store
from store import repairing

reached = 0

def reach(function):
    def wrapped(*arguments, **options):
        global reached
        reached += 1
        if reached == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return wrapped

repairing.remove_index = reach(repairing.remove_index)
repairing.shutil.rmtree = reach(repairing.shutil.rmtree)
os.fsync = reach(os.fsync)
repairing.catalog.segment_ids = reach(repairing.catalog.segment_ids)
store.repair(Path(sys.argv[1]))
print(reached)
"""


def spoil(path: Path) -> None:
    (folder(path, "plain") / PICKLE).write_bytes(b"")
    damage.cut(folder(path, "angles") / damage.DATA)
    damage.orphan(path)


def test_a_repair_killed_anywhere_is_completed_by_the_next(sound_root: Path, tmp_path: Path) -> None:
    paths = []
    for moment in range(1, 20):
        path = Path(shutil.copytree(sound_root / "store", tmp_path / str(moment)))
        spoil(path)
        command = [sys.executable, "-c", DIE_AT, path, str(moment)]
        killed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        if killed.returncode == 0:
            assert int(killed.stdout) == moment - 1
            break
        assert killed.returncode == -9, killed.stderr
        paths.append(path)
        assert store.repair(path).is_whole
        assert store.verify(path, Depth.EMBEDDINGS).findings == ()
        assert not list(path.glob("00000000-*"))
    assert len(paths) >= 8, "repair was killed at fewer moments than it has steps"
    expected = sound_store.expected(sound_root)
    for path, contents in sound_store.read(*paths[::3]).items():
        assert sound_store.differences(contents, expected) == [], path


def test_an_index_whose_vectors_the_log_lacks_is_moved_aside(store_of_kind: Callable[[str], Path]) -> None:
    path = store_of_kind("purged")
    name = damage.segment(path, "texts")
    damage.cut(path / name / damage.DATA)
    kept = {file.name: file.read_bytes() for file in (path / name).iterdir()}
    done = store.repair(path)
    assert not done.is_whole
    [aside] = done.aside
    assert aside.parent.parent == path / ".cortex" / "aside"
    assert {file.name: file.read_bytes() for file in aside.iterdir()} == kept
    assert not (path / name).exists()
    assert damage.ask(path, "SELECT * FROM max_seq_id WHERE segment_id = ?", [name]) == []


def test_where_the_log_is_not_kept_an_orphan_is_moved_aside(store_of_kind: Callable[[str], Path]) -> None:
    path = store_of_kind("purged")
    shutil.copytree(folder(path, "texts"), path / "00000000-1111-2222-3333-444444444444")
    done = store.repair(path)
    assert [each.name for each in done.aside] == ["00000000-1111-2222-3333-444444444444"]
    assert done.removed == ()


def test_a_repair_killed_in_a_stock_store_does_not_make_its_adds_trusted(store_of_kind: Callable[[str], Path]) -> None:
    """Without the number nothing shows any more that rows were purged: an add may be one that Chroma ignored."""
    path = store_of_kind("readded")
    damage.sql(path, "DELETE FROM max_seq_id WHERE segment_id = ?", [damage.segment(path, "texts")])
    assert [finding.kind for finding in store.verify(path).findings] == [FindingKind.LOG_OFF]
    damage.cut(folder(path, "texts") / damage.DATA, share=0.1)
    done = store.repair(path)
    assert len(done.aside) == 1, "the only copy of the vectors was deleted"


def test_files_of_others_stay(sound: Path) -> None:
    (sound / "notes").mkdir()
    (sound / "lost+found").mkdir()
    link = sound / "11111111-1111-2222-3333-444444444444"
    link.symlink_to(sound / "notes")
    assert store.repair(sound).removed == ()
    assert link.is_symlink()
    assert (sound / "notes").exists()


def test_a_running_server_is_refused(sound: Path) -> None:
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM tenants');"
        "print('open', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, sound / "chroma.sqlite3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(store.StoreInUse):
            store.repair(sound)
    finally:
        child.communicate()


def test_command_line_verifies_and_repairs(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(sound), "--depth", "embeddings"]) == 0
    assert "sound (embeddings, 723 records in 10 collections, 700 vectors compared" in capsys.readouterr().out
    spoil(sound)
    assert cli.main(["verify", str(sound), "--json"]) == 1
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert not result["sound"]
    assert {(each["kind"], each["remedy"]) for each in result["findings"]} == {
        ("index_torn", "rebuild"),
        ("orphan_folder", "remove"),
    }
    assert {"progress": {"what": "verifying collections", "done": 10, "of": 10}} in map(
        json.loads, told.err.splitlines()
    )
    assert cli.main(["repair", str(sound), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert sorted(result["rebuilt"]) == ["angles", "plain"]
    assert result["whole"]
    assert cli.main(["repair", str(sound)]) == 0
    assert "nothing to repair" in capsys.readouterr().out
    damage.flip_logged_vector(sound, "inner", damage.unsampled(sound, "inner"))
    future = ["--only-changed-since-ns", str(2**62)]
    assert cli.main(["repair", str(sound), "--depth", "embeddings", *future]) == 0
    capsys.readouterr()
    assert cli.main(["repair", str(sound), "--depth", "embeddings"]) == 1
    assert "disagreement -> undecided: inner: 1 of 140 vectors differ" in capsys.readouterr().out


def test_command_line_under_a_lock_that_is_passed_on(sound: Path) -> None:
    command = [sys.executable, "-m", "store", "repair", sound, "--json"]
    with store.WriterLock(sound) as lock:
        refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert refused.returncode == 75
        passed = [*command, "--lock-fd", str(lock.fileno())]
        done = subprocess.run(passed, check=False, capture_output=True, text=True, timeout=60, pass_fds=[lock.fileno()])
        assert done.returncode == 0, done.stderr
        with pytest.raises(store.StoreLocked), store.WriterLock(sound):
            pass


def test_command_line_inspects(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(sound)]) == 0
    assert "cortex_internal/canary: 1 x 2 l2, 1 elements" in capsys.readouterr().out
    assert cli.main(["inspect", str(sound), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["vectors"], result["log_kept"], result["orphans"]) == (723, True, [])


def test_inspection_counts(sound: Path) -> None:
    damage.orphan(sound)
    found = store.inspect(sound)
    views = {view.name: view for view in found.collections}
    plain = views["plain"]
    assert (plain.records, plain.dimensions, plain.space, plain.database) == (143, 8, "l2", "default_database")
    [(newest,)] = damage.ask(
        sound, "SELECT max(seq_id) FROM embeddings_queue WHERE topic LIKE ?", [damage.topic(sound, "plain")]
    )
    assert plain.log_seq == plain.metadata_seq == newest
    assert plain.lag_rows == 3
    assert (plain.index_elements, plain.index_tombstones) == (155, 12)
    assert views["angles"].space == views["few"].space == "cosine"
    assert views["few"].vector_seq is None
    assert (views["few"].lag_rows, views["few"].index_elements) == (7, None)
    assert views["canary"].database == "cortex_internal"
    assert found.lag_rows == sum(view.lag_rows for view in found.collections)
    assert [orphan.bytes for orphan in found.orphans] == [found.orphan_bytes]
    assert found.orphan_bytes > 10_000
    assert os.stat(sound / "chroma.sqlite3").st_size == found.sqlite_bytes  # noqa: PTH116
