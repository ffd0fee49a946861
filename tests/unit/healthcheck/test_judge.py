"""Verdicts and words for what was seen, alone and over time."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from healthcheck.judge_room import judge_trend, worse_disk_percent
from healthcheck.judgement import Judgement, Verdict, overall
from healthcheck.judges import Judges
from healthcheck.limits import Limits, ServerKind
from healthcheck.observation import CanaryView, DiskView, MemoryView, Observation, OpenFiles, ScrubView, Warming
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from backups import WELL, told  # found by the line above
from decision_scene import World

OK, DEGRADED, FAILING, UNKNOWN = Verdict.OK, Verdict.DEGRADED, Verdict.FAILING, Verdict.UNKNOWN
ALL = [
    "server", "canary", "sqlite", "memory", "memory_trend", "disk", "inodes", "disk_trend", "open_files",
    "collections", "index_lag", "orphans", "log_setting", "scrub", "clock",
]  # fmt: skip


class Bench:
    """One judge, and what it sees."""

    def __init__(self, **limits: Any) -> None:
        self.judges = Judges(Limits(**limits))
        seen = {**World().seen, "open_files": OpenFiles(10, 1000), "store_bytes": 1000}
        self.seen = Observation(at_s=0, wall_s=1e9, **seen)

    def judge(self, **views: Any) -> dict[str, Judgement]:
        self.seen = replace(self.seen, **views)
        return {judgement.name: judgement for judgement in self.judges.judge(self.seen)}

    def server(self, **changes: Any) -> dict[str, Judgement]:
        return self.judge(server=replace(self.seen.server, **changes))

    def store(self, **changes: Any) -> dict[str, Judgement]:
        return self.judge(store=replace(self.seen.store, **changes))  # type: ignore[type-var]


def test_all_is_well() -> None:
    found = Bench().judge()
    assert list(found) == ALL
    assert {judgement.verdict for judgement in found.values()} == {OK}


def test_a_server_without_a_store_has_only_its_own_judgements() -> None:
    found = Bench(server=ServerKind.NONE).judge(store=None, disk=None)
    assert list(found) == ["server", "memory", "memory_trend", "open_files"]


def test_what_could_not_be_measured_is_unknown_and_says_why() -> None:
    bench = Bench()
    problems = (("memory", "no psutil"), ("disk", "gone"), ("store", "disk I/O error"), ("open_files", "denied"))
    found = bench.judge(memory=None, disk=None, store=None, open_files=None, problems=problems)
    unknown = {name: judgement.message for name, judgement in found.items() if judgement.verdict is UNKNOWN}
    assert set(unknown) == {
        "memory", "disk", "inodes", "open_files", "collections", "index_lag", "orphans", "log_setting",
    }  # fmt: skip
    assert unknown["memory"] == "cannot be measured: no psutil"
    assert unknown["orphans"] == "cannot be measured: disk I/O error"
    assert overall(found.values()) is UNKNOWN


def test_before_the_first_look_it_says_so() -> None:
    assert Bench().judge(store=None)["collections"].message == "cannot be measured: not looked at yet"


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, OK, "answers"),
        ({"running": False, "answered": None, "pid": None}, FAILING, "does not run"),
        ({"answered": None, "status": ""}, FAILING, "not asked yet"),
        (
            {"answered": False, "status": "", "problem": "nothing listens\non it"},
            FAILING,
            "nothing listens on it; look",
        ),
        ({"status": "starting"}, FAILING, "being opened"),
        ({"status": "starting", "warming": Warming(3, 7)}, FAILING, "3 of 7 indexes loaded"),
        ({"status": "stopping"}, FAILING, "takes no new requests"),
        ({"status": "failing"}, FAILING, "says that it is failing"),
        ({"status": "HTTP 404"}, FAILING, "'HTTP 404', which it never has"),
        ({"unloaded": 2}, DEGRADED, "2 indexes could not be loaded"),
    ],
)
def test_server(changes: dict[str, Any], verdict: Verdict, words: str) -> None:
    judged = Bench().server(**changes)["server"]
    assert judged.verdict is verdict
    assert words in judged.message


CANARY = CanaryView(ok=True, age_s=12.0, write_ms=3.25, read_ms=1.0)


@pytest.mark.parametrize(
    ("canary", "canary_verdict", "sqlite_verdict", "words"),
    [
        (CANARY, OK, OK, "write 3.2 ms, read 1.0 ms"),
        (replace(CANARY, age_s=179.9), OK, OK, "write"),
        (replace(CANARY, age_s=180), FAILING, FAILING, "too old"),
        (replace(CANARY, ok=False, error="database is\nlocked"), FAILING, FAILING, "database is locked"),
        (replace(CANARY, ok=False, error="pool timed out"), FAILING, FAILING, "pool timed out"),
        (replace(CANARY, ok=False, error="127.0.0.1:1 did not answer in time"), FAILING, FAILING, "in time"),
        (replace(CANARY, ok=False, error="wrote 1 and read 2"), FAILING, UNKNOWN, "wrote 1 and read 2"),
        (replace(CANARY, ok=False), FAILING, UNKNOWN, "no reason given"),
        (replace(CANARY, age_s=None), UNKNOWN, OK, "no age"),
        (replace(CANARY, write_ms=5000.0), OK, DEGRADED, "write 5000.0 ms"),
        (replace(CANARY, write_ms=None), OK, OK, "write ?"),
        (None, UNKNOWN, UNKNOWN, "told of none"),
    ],
)
def test_canary_and_what_it_says_of_sqlite(
    canary: CanaryView | None, canary_verdict: Verdict, sqlite_verdict: Verdict, words: str
) -> None:
    found = Bench().server(canary=canary)
    assert (found["canary"].verdict, found["sqlite"].verdict) == (canary_verdict, sqlite_verdict)
    assert words in found["canary"].message
    assert "\n" not in found["canary"].message


def test_who_holds_the_write_lock_is_told() -> None:
    found = Bench().server(canary=replace(CANARY, ok=False, error="database is locked"), write_lock_pid=4711)
    assert "process 4711 holds the write lock" in found["sqlite"].message


def test_after_a_full_disk_sqlite_fails_whatever_a_small_write_says() -> None:
    assert Bench().server(disk_full=True)["sqlite"].verdict is FAILING


def test_memory_degrades_with_hysteresis_and_never_fails() -> None:
    bench = Bench()
    verdicts = [
        bench.judge(memory=MemoryView(used, 1000, "container"))["memory"].verdict
        for used in (849, 850, 830, 821, 820, 849, 999, 5000)
    ]
    assert verdicts == [OK, DEGRADED, DEGRADED, DEGRADED, OK, OK, DEGRADED, DEGRADED]


def test_memory_of_the_host_is_called_so_and_kills_are_told() -> None:
    found = Bench().judge(memory=MemoryView(1, 2, "host"), memory_kills=3)["memory"]
    assert "the host's memory (no limit is set)" in found.message
    assert "killed 3 processes" in found.message


@pytest.mark.parametrize(
    ("used", "store", "planned", "value", "verdict", "words"),
    [
        (500, None, None, 50, OK, "file system 500 B of 1000 B"),
        (500, 100, 1000, 50, OK, "store 100 B of 1000 B planned (10.0 %)"),
        (500, 790, 1000, 79, OK, "(50.0 %)"),
        (500, 800, 1000, 80, DEGRADED, "outgrows its plan"),
        (800, 100, 1000, 80, DEGRADED, "before it is full"),
        (900, 2000, 1000, 200, DEGRADED, "outgrows its plan"),
    ],
)
def test_disk(  # noqa: PLR0917
    used: int, store: int | None, planned: int | None, value: float, verdict: Verdict, words: str
) -> None:
    judged = Bench(store_bytes=planned).judge(disk=DiskView(used, 1000, 1, 2), store_bytes=store)["disk"]
    assert judged.verdict is verdict
    assert judged.value == pytest.approx(value)
    assert words in judged.message


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 10**12))
def test_the_worse_share_is_never_below_the_file_systems(used: int, more: int, store: int, planned: int) -> None:
    disk = DiskView(used, used + more, 0, 0)
    assert worse_disk_percent(disk, store, planned) >= worse_disk_percent(disk, None, planned)


@pytest.mark.parametrize(("used", "usable", "verdict"), [(79, 100, OK), (80, 100, DEGRADED), (5, 0, OK)])
def test_inodes(used: int, usable: int, verdict: Verdict) -> None:
    assert Bench().judge(disk=DiskView(1, 2, used, usable))["inodes"].verdict is verdict


def test_a_disk_without_any_room_is_full() -> None:
    assert Bench().judge(disk=DiskView(0, 0, 0, 0))["disk"].verdict is DEGRADED


@pytest.mark.parametrize(("used", "limit", "verdict"), [(799, 1000, OK), (800, 1000, DEGRADED), (1, 0, DEGRADED)])
def test_open_files(used: int, limit: int, verdict: Verdict) -> None:
    assert Bench().judge(open_files=OpenFiles(used, limit))["open_files"].verdict is verdict


def test_memory_that_grows_to_its_limit_is_told_beforehand_and_forgotten_with_the_process() -> None:
    bench, found = Bench(), {}
    for at_s in range(0, 900, 5):
        found = bench.judge(at_s=float(at_s), memory=MemoryView(500_000 + 200 * at_s, 1_000_000, "container"))
    assert found["memory"].verdict is OK
    trend = found["memory_trend"]
    assert trend.verdict is DEGRADED
    assert trend.value == pytest.approx((1_000_000 - 500_000 - 200 * 895) / 200 / 60, rel=0.02)
    assert "reaches the limit, where the kernel kills, in 27 min" in trend.message
    assert bench.server(pid=8)["memory_trend"].verdict is OK


def test_a_disk_that_fills_is_told_hours_before() -> None:
    bench, found = Bench(), {}
    for at_s in range(0, 900, 5):
        found = bench.judge(at_s=float(at_s), disk=DiskView(500_000 + 40 * at_s, 1_000_000, 1, 2))
    assert found["disk_trend"].verdict is DEGRADED
    assert "is full in 3 h" in found["disk_trend"].message


@given(st.floats(0, 1e9))
def test_a_trend_has_words_for_any_time(time_to_s: float) -> None:
    judged = judge_trend("x", "is full", time_to_s, 30, crossed=False)
    assert judged.verdict is OK
    assert judged.message


@pytest.mark.parametrize(
    ("name", "changes", "verdict", "words"),
    [
        ("collections", {"collections": 99}, OK, "99 with 1,000 vectors"),
        ("collections", {"collections": 100}, DEGRADED, "raise collections"),
        ("index_lag", {"lag_rows": 9_999}, OK, "not in its saved index"),
        ("index_lag", {"lag_rows": 10_000}, DEGRADED, "not saved any more"),
        ("orphans", {"orphans": 99, "orphan_bytes": 10}, OK, "99 folders, 10 B"),
        ("orphans", {"orphans": 100, "orphan_bytes": 10}, DEGRADED, "next restart removes"),
        ("orphans", {"orphans": 1, "orphan_bytes": 64 << 20}, DEGRADED, "1 folders, 64.0 MiB"),
        ("log_setting", {"log_kept": False}, DEGRADED, "chroma vacuum"),
        ("log_setting", {"superseded_rows": 7}, OK, "7 of them superseded"),
    ],
)
def test_store(name: str, changes: dict[str, Any], verdict: Verdict, words: str) -> None:
    judged = Bench().store(**changes)[name]
    assert judged.verdict is verdict
    assert words in judged.message


def test_orphans_of_a_large_store_may_be_larger() -> None:
    bench = Bench()
    bench.judge(store_bytes=10 << 30)
    assert bench.store(orphans=3, orphan_bytes=900 << 20)["orphans"].verdict is OK
    assert bench.store(orphans=3, orphan_bytes=1100 << 20)["orphans"].verdict is DEGRADED


@pytest.mark.parametrize(
    ("scrub", "at_s", "verdict", "words"),
    [
        (ScrubView(), 0, OK, "none has ended yet"),
        (ScrubView(), 2 * 86_400, DEGRADED, "overdue"),
        (ScrubView(ended_wall_s=1e9 - 3600, took_s=9), 0, OK, "read in 9 s, nothing is wrong"),
        (ScrubView(ended_wall_s=1e9 - 3600, findings=4), 0, OK, "4 leftovers"),
        (ScrubView(ended_wall_s=1e9 - 2 * 86_400), 0, DEGRADED, "overdue"),
        (ScrubView(ended_wall_s=1e9 + 50_000), 0, OK, "everything was read"),
        (ScrubView(ended_wall_s=1e9, findings=2, undecided=1, mendable=1), 0, DEGRADED, "a backup decides"),
        (ScrubView(ended_wall_s=1e9, findings=2, mendable=2), 0, DEGRADED, "2 broken indexes"),
        (ScrubView(ended_wall_s=1e9, findings=2, unmended=1), 0, DEGRADED, "1 places that no repair mends"),
    ],
)
def test_scrub(scrub: ScrubView, at_s: float, verdict: Verdict, words: str) -> None:
    bench = Bench()
    bench.judge()
    judged = bench.judge(scrub=scrub, at_s=at_s)["scrub"]
    assert judged.verdict is verdict
    assert words in judged.message


def test_what_there_is_none_of_is_not_judged() -> None:
    found = Bench(scrub_interval_s=0.0).judge()
    assert {"scrub", "archive_lag", "base_age", "drill"}.isdisjoint(found)
    assert {"archive_lag", "base_age", "drill"} <= Bench(backups=True).judge(backup=WELL).keys()


@pytest.mark.parametrize(
    ("days", "verdict", "words"),
    [(180, OK, "until it ends"), (7.1, OK, "until"), (6.9, DEGRADED, "ends soon"), (-1, DEGRADED, "has ended")],
)
def test_a_certificate_that_ends_is_told_before(days: float, verdict: Verdict, words: str) -> None:
    judged = Bench(certificate="/c.pem").judge(certificate_ends_wall_s=1e9 + days * 86_400)["certificate"]
    assert (judged.verdict, round(judged.value or 0, 1)) == (verdict, days)
    assert words in judged.message


def test_a_certificate_that_cannot_be_read_is_unknown_and_none_is_none() -> None:
    unread = Bench(certificate="/c.pem").judge(problems=(("certificate", "no such file"),))["certificate"]
    assert (unread.verdict, "no such file" in unread.message) == (UNKNOWN, True)
    assert "certificate" not in Bench().judge(certificate_ends_wall_s=1e9)


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ("ok ok", OK),
        ("ok unknown", UNKNOWN),
        ("unknown degraded ok", DEGRADED),
        ("degraded failing unknown", FAILING),
        ("", OK),
    ],
)
def test_the_worst_verdict_is_the_whole(verdicts: str, whole: Verdict) -> None:
    judgements = [Judgement("x", 1, 2, "s", Verdict(verdict), "") for verdict in verdicts.split()]
    assert overall(judgements) is whole


def test_only_what_serves_nobody_fails() -> None:
    """Memory, disk and all that can be counted degrade: liveness and readiness must not hang on them."""
    bench = Bench(backups=True)
    bench.judge(
        memory=MemoryView(1000, 1000, "container"),
        disk=DiskView(1000, 1000, 100, 100),
        open_files=OpenFiles(1000, 1000),
        scrub=ScrubView(ended_wall_s=1e9, findings=1, undecided=1),
        backup=told(archive={"lag_s": 1e9}, base={"overdue_after_s": 1.0}, drill={"passed": False}),
    )
    found = bench.store(collections=10**6, lag_rows=10**6, orphans=10**6, log_kept=False)
    failing = {name for name, judgement in found.items() if judgement.verdict is FAILING}
    degraded = {name for name, judgement in found.items() if judgement.verdict is DEGRADED}
    assert failing == set()
    assert degraded == {
        "memory", "disk", "inodes", "open_files", "scrub", "collections", "index_lag", "orphans", "log_setting",
        "archive_lag", "base_age", "drill",
    }  # fmt: skip


def test_a_clock_that_is_set_is_told_for_a_while() -> None:
    bench = Bench()
    for at_s, ahead_s, verdict in (
        (0, 0, OK),
        (1, 59, OK),
        (2, 100, OK),
        (3, 160, DEGRADED),
        (602, 160, DEGRADED),
        (603, 160, OK),
        (604, -1e6, DEGRADED),
    ):
        judged = bench.judge(at_s=float(at_s), wall_s=1e9 + at_s + ahead_s)["clock"]
        assert judged.verdict is verdict, at_s
    assert "set back" in judged.message
    assert judged.value == pytest.approx(-1e6 - 160)


def test_a_judgement_as_line_and_as_dict() -> None:
    judged = Judgement("memory", 41.234, 85, "%", OK, "words")
    assert judged.as_line() == "ok        memory        41.2 % (limit 85 %): words"
    assert Judgement("orphans", 3.0, 100, "", DEGRADED, "x").as_line() == "degraded  orphans       3 (limit 100): x"
    assert Judgement("log_setting", None, None, "", OK, "kept").as_line() == "ok        log_setting   -: kept"
    assert judged.as_dict() == {
        "name": "memory", "value": 41.23, "limit": 85, "unit": "%", "verdict": "ok", "message": "words",
    }  # fmt: skip
