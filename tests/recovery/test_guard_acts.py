"""What the guard does with a server that crashes, hangs, fills its disk or does not stop, over a stand-in for it."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from healthcheck.life import PASSED_ON

import store
from tests.recovery.conftest import KEPT_ROWS, StartGuard
from tests.recovery.guards import WithStandIn, gone
from tests.recovery.servers import wait_until

pytestmark = pytest.mark.process
MODEL = '{"base_bytes":1,"vector_overhead_bytes":1000000000000,"collection_bytes":1,"work_bytes":1}'


def python(code: str) -> list[str]:
    return [sys.executable, "-IS", "-c", code]


def place(source: Path, tmp_path: Path) -> Path:
    """Copy a store to where the first guard of this test will look for it."""
    return Path(shutil.copytree(source, tmp_path / "0/store"))


def took(what: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    what()
    return time.perf_counter() - started_s


def test_a_crash_loop_puts_up_a_fence_that_outlives_the_guard(start_guard: StartGuard, empty_store: Path) -> None:
    crash = python("import sys; sys.stderr.write('boom\\n'); sys.exit(1)")
    guard = start_guard(on=empty_store, ready=False, command=crash, crashes=2)
    guard.until_phase("fenced")
    assert len([line for line in guard.lines() if line["message"] == "server.crashed"]) == 2
    assert guard.said("boom")["stream"] == "stderr"
    reply = guard.asked("readyz?verbose")
    assert reply.status_code == 503
    assert "the server keeps crashing, last: the server ended with exit code 1" in reply.text
    assert guard.asked("livez").status_code == 200
    assert guard.stop() == 0

    again = start_guard(again=guard, ready=False, crashes=2)
    again.until_phase("fenced")
    assert again.server_pid() is None
    assert again.stop() == 0


def test_the_fence_lifts_for_one_try(start_guard: StartGuard, empty_store: Path) -> None:
    guard = start_guard(on=empty_store, ready=False, command=python("raise SystemExit(1)"), crashes=1, crash_window_s=2)
    wait_until(lambda: len(guard.did("fence")) >= 3, "the fence to be up again")
    assert [each["outcome"] for each in guard.did("fence")][:3] == ["up", "lifted for one try", "up"]


def test_an_exit_that_no_restart_would_change_is_passed_on(start_guard: StartGuard, empty_store: Path) -> None:
    assert frozenset({65, 75, 78}) == PASSED_ON
    guard = start_guard(on=empty_store, ready=False, command=python("raise SystemExit(78)"))
    assert guard.end() == 78
    assert guard.state()["phase"] == "refused"


def test_what_cannot_work_is_refused_with_a_reason(start_guard: StartGuard, tmp_path: Path, empty_store: Path) -> None:
    wrong = start_guard(ready=False, memory_percent="much", listen="here")
    assert wrong.end() == 78
    assert "HEALTH_MEMORY_PERCENT='much'" in wrong.last_words()
    assert "HEALTH_LISTEN='here'" in wrong.last_words()
    short = start_guard(ready=False, open_files=10_000_000)
    assert short.end() == 65
    assert "needs up to 10000000 open files" in short.last_words()
    assert start_guard(ready=False, store_path=tmp_path / "none").end() == 65
    no_tables = start_guard(ready=False, schema_command="")
    assert no_tables.end() == 65
    assert "HEALTH_SCHEMA_COMMAND" in no_tables.last_words()
    (tmp_path / "replacing/.cortex").mkdir(parents=True)
    (tmp_path / "replacing/.cortex/replacing").write_text("/data/.cortex/aside/x\n")
    half_way = start_guard(on=tmp_path / "replacing", ready=False)
    assert half_way.end() == 65
    assert "killed while it replaced the store" in half_way.last_words()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = start_guard(on=empty_store, ready=False, listen=f"127.0.0.1:{other.getsockname()[1]}")
        assert taken.end() == 78
    assert "something else listens there" in taken.last_words()


def test_more_data_than_memory_is_refused_with_the_arithmetic_or_degraded(
    start_guard: StartGuard, full_store: Path
) -> None:
    refused = start_guard(WithStandIn, full_store, ready=False, memory_model=MODEL)
    assert refused.end() == 65
    assert f"{KEPT_ROWS} vectors" in refused.last_words()
    degraded = start_guard(WithStandIn, again=refused, memory_model=MODEL, on_memory_short="degraded")
    assert degraded.judged("guard")["verdict"] == "degraded"
    assert "the data needs" in degraded.judged("guard")["message"]


def test_a_disk_above_its_limit_closes_the_store(start_guard: StartGuard, empty_store: Path) -> None:
    guard = start_guard(WithStandIn, empty_store, disk_stop_percent=4, hysteresis_points=1)
    wait_until(lambda: not guard.state()["writable"]["ok"], "the store to be closed", 10)
    reply = guard.asked("writable")
    assert (reply.status_code, reply.headers["Retry-After"]) == (507, "60")
    assert "full" in guard.state()["writable"]["reason"]
    assert guard.ready(), "reads go on"
    assert guard.did("close for writes")


def test_a_full_disk_is_over_only_after_a_restart_and_a_look_at_everything(
    start_guard: StartGuard, full_store: Path
) -> None:
    guard = start_guard(WithStandIn, full_store)
    server = guard.server_pid()
    assert server is not None
    guard.says({"disk_full": True})
    wait_until(lambda: guard.notes()["disk_full"], "the full disk to be noted")
    guard.wait_server_other_than(server)
    assert guard.until_done("restart", "done")["reason"].startswith("disk_full_over")
    assert guard.said("verify")["depth"] == "embeddings"
    assert guard.said("verify")["reason"] == "the last run's end: disk full"
    wait_until(lambda: guard.state()["writable"]["ok"], "the store to be open for writes")


def test_a_scrub_finds_damage_and_a_restart_mends_it(start_guard: StartGuard, full_store: Path) -> None:
    guard = start_guard(WithStandIn, full_store, scrub_interval_s=2)
    server = guard.server_pid()
    assert server is not None
    assert guard.until_done("scrub")["outcome"] == "nothing found"
    (data,) = guard.store.glob("*/data_level0.bin")
    data.write_bytes(data.read_bytes()[:500])
    guard.until_done("scrub", "found: 1 findings")
    guard.wait_server_other_than(server)
    assert guard.until_done("restart", "done")["reason"].startswith("damage: ")
    assert guard.until_done("repair", "done")["reason"].startswith("index_torn in kept")
    assert store.verify(guard.store, store.Depth.EMBEDDINGS).is_sound
    assert guard.ready()


class WithOrphans(WithStandIn):
    """Its server leaves an index folder of no collection behind, as a deleted collection does."""

    def server_command(self) -> list[str]:
        orphan = self.store / "00000000-0000-4000-8000-000000000000"
        make = f"mkdir -p {orphan}; echo x > {orphan}/header.bin; exec "
        return ["sh", "-c", make + " ".join(super().server_command())]


def test_planned_maintenance_waits_for_others_then_is_done(
    start_guard: StartGuard, full_store: Path, tmp_path: Path
) -> None:
    begin = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)).strftime("%H:%M")
    window = {"maintenance": f"daily {begin} 60m", "maintenance_limit_s": 3600}
    with store.ActivityLock(place(full_store, tmp_path), "a copy"):
        postponed = start_guard(WithOrphans, **window)
        assert "a copy" in postponed.until_done("restart", "postponed")["outcome"]
        postponed.stop()
    (postponed.store / ".cortex/guard.json").unlink()  # what is remembered of this window
    done = start_guard(WithOrphans, again=postponed, **window)
    assert done.until_done("restart", "done")["reason"].startswith("planned: ")
    assert done.did("maintenance: orphans")[0]["outcome"] == "done"
    assert done.said("maintenance.plan")["steps"] == ["1 folders of deleted collections"]


_READING = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1] + "/chroma.sqlite3")
database.execute("SELECT count(*) FROM collections").fetchone()
print("open", flush=True)
time.sleep(60)
"""


def test_a_store_that_somebody_copies_is_served_and_one_that_somebody_has_open_is_not(
    start_guard: StartGuard, full_store: Path, tmp_path: Path
) -> None:
    placed = place(full_store, tmp_path)
    reader = subprocess.Popen([sys.executable, "-c", _READING, placed], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        with store.ActivityLock(placed, "a copy"):
            beside = start_guard(WithStandIn)
            assert "a copy" in beside.said("prepare.skipped")["reason"]
            assert beside.stop() == 0
        refused = start_guard(WithStandIn, again=beside, ready=False)
        wait_until(lambda: "has the store open" in refused.state().get("phase_message", ""), "the guard to wait")
        reader.kill()
        refused.wait_ready()
    finally:
        reader.kill()
        reader.communicate()


_ARCHIVING = """
import sqlite3, sys, time, store
path = sys.argv[1]
with store.Archiving(path):
    database = sqlite3.connect(path + "/chroma.sqlite3")
    database.execute("SELECT count(*) FROM collections").fetchone()
    print("open", flush=True)
    while not store.is_wanted_closed(path):
        time.sleep(0.02)
    database.close()
"""


def test_an_archiver_lets_go_of_a_store_that_is_prepared(
    start_guard: StartGuard, full_store: Path, tmp_path: Path
) -> None:
    placed = place(full_store, tmp_path)
    archiver = subprocess.Popen([sys.executable, "-c", _ARCHIVING, placed], stdout=subprocess.PIPE, text=True)
    try:
        assert archiver.stdout is not None
        assert archiver.stdout.readline() == "open\n"
        guard = start_guard(WithStandIn)
        assert guard.said("archiver.let_go")["took_s"] < 20
        assert archiver.wait(30) == 0
        assert not store.is_wanted_closed(placed), "it may come back while the server runs"
    finally:
        archiver.kill()
        archiver.communicate()


def test_a_server_that_does_not_stop_is_killed(start_guard: StartGuard, empty_store: Path) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
    guard = start_guard(on=empty_store, ready=False, command=python(stubborn), stop_grace_s=0.5)
    wait_until(lambda: any(line["message"] == "up" for line in guard.lines()), "the server to run")
    assert guard.stop() == 137
    assert guard.notes()["end"] == "crashed"


def test_a_server_that_is_never_ready_is_given_up(start_guard: StartGuard, empty_store: Path) -> None:
    command = python("import time; time.sleep(99)")
    guard = start_guard(on=empty_store, ready=False, command=command, start_limit_s=1)
    wait_until(lambda: "server.crashed" in guard.log.read_text(), "the start to be given up")
    assert guard.said("server.crashed")["reason"].startswith("it was not ready after")
    assert guard.asked("startupz").status_code == 503


def test_a_server_without_a_store(start_guard: StartGuard) -> None:
    guard = start_guard(WithStandIn, server="none", store_path="/nowhere")
    assert {each["name"] for each in guard.state()["judgements"]} >= {"guard", "server", "memory", "open_files"}
    assert "canary" not in {each["name"] for each in guard.state()["judgements"]}
    server = guard.server_pid()
    assert server is not None
    os.kill(server, signal.SIGKILL)
    guard.until_done("restart", "done")
    assert guard.stop() == 0


def test_a_wedged_server_is_told_by_the_probe_and_restarted(
    start_guard: StartGuard, empty_store: Path, tmp_path: Path
) -> None:
    guard = start_guard(WithStandIn, empty_store, wedged_after_s=3)
    launcher = tmp_path / "bin/healthcheck"
    subprocess.run([sys.executable, "-m", "healthcheck.install", launcher], check=True, timeout=60)
    environment = guard.environment()

    def probed(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(launcher), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)

    wait_until(lambda: guard.state()["verdict"] == "ok", "the verdict to be ok")
    bare, probe = [], []
    for _ in range(10):
        bare.append(took(lambda: subprocess.run([sys.executable, "-IS", "-c", "pass"], check=True)))
        probe.append(took(lambda: probed().check_returncode()))
    # 20 ms on a machine where bare Python takes 13 ms; the ratio holds on a busy one too.
    assert min(probe) < 2 * min(bare)

    server = guard.server_pid()
    assert server is not None
    guard.says({"status": "failing", "canary": {"ok": False, "age_s": 1.0, "error": "database is locked"}})
    wait_until(lambda: probed().returncode == 1, "the probe to fail")
    assert json.loads(probed("--json").stdout)["verdict"] == "failing"
    guard.wait_server_other_than(server)
    assert guard.until_done("restart", "done")["reason"].startswith("wedged: ")
    assert gone(server)
    assert guard.ready()
    assert guard.notes()["crashes"]["times_s"] == [], "no crash: the guard did it"
    guard.stop()
    wait_until(lambda: "its loop stands still" in probed().stdout, "the state to be stale")
    assert probed().returncode == 1
