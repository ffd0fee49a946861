"""Verdicts and words for values around their limits."""

import pytest
from healthcheck.ask import Answer
from healthcheck.disk import Disk
from healthcheck.judge import (
    Judgement,
    judge_api,
    judge_canary,
    judge_disk,
    judge_inodes,
    judge_memory,
    overall,
)
from healthcheck.measure import Memory
from healthcheck.units import human_bytes, one_line

CANARY = {"ok": True, "age_s": 12.0, "write_ms": 3.25, "read_ms": 1.0, "error": None}


def answer(code: int = 200, /, problem: str = "", **body: object) -> Answer:
    return Answer(code, body, took_ms=1.5, problem=problem)


@pytest.mark.parametrize(
    ("given", "verdict", "words"),
    [
        (answer(status="ok"), "ok", "answers"),
        (answer(503, status="starting"), "failing", "starting"),
        (answer(503, status="stopping"), "failing", "stopping"),
        (answer(503, status="failing"), "failing", "says that it is failing"),
        (answer(503, status="ok"), "failing", "HTTP 503"),
        (answer(200), "failing", "not the Cortex API"),
        (answer(200, status=["ok"]), "failing", "not the Cortex API"),
        (answer(0, problem="nothing listens on 127.0.0.1:8080"), "failing", "nothing listens on 127.0.0.1:8080; look"),
    ],
)
def test_api(given: Answer, verdict: str, words: str) -> None:
    judged = judge_api(given, timeout_s=5)
    assert judged.verdict == verdict
    assert words in judged.message
    assert (judged.value, judged.limit, judged.unit) == (1.5, 5000, "ms")


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({}, "ok", "write 3.2 ms, read 1.0 ms"),
        ({"age_s": 179.9}, "ok", "write"),
        ({"age_s": 180}, "failing", "too old"),
        ({"ok": False, "error": "database is\nlocked"}, "failing", "database is locked"),
        ({"ok": False}, "failing", "no reason given"),
        ({"ok": False, "age_s": None}, "failing", "not written yet"),
        ({"ok": "yes"}, "failing", "could not write and read back"),
        ({"age_s": None}, "unknown", "no age"),
        ({"age_s": True}, "unknown", "no age"),
        ({"age_s": -5}, "unknown", "no age"),
        ({"age_s": float("nan")}, "unknown", "no age"),
        ({"age_s": float("inf")}, "unknown", "no age"),
        ({"write_ms": "x"}, "ok", "write ?, read 1.0 ms"),
    ],
)
def test_canary(change: dict[str, object], verdict: str, words: str) -> None:
    judged = judge_canary(answer(status="ok", canary={**CANARY, **change}), max_age_s=180)
    assert judged.verdict == verdict
    assert words in judged.message
    assert "\n" not in judged.message


def test_canary_without_an_answer_or_a_canary() -> None:
    assert judge_canary(answer(0, problem="gone"), 180).verdict == "unknown"
    assert judge_canary(answer(status="ok"), 180).verdict == "unknown"


@pytest.mark.parametrize(("used", "verdict"), [(849, "ok"), (850, "failing"), (1200, "failing")])
def test_memory(used: int, verdict: str) -> None:
    judged = judge_memory(Memory(used, 1000, "container"), 85)
    assert judged.verdict == verdict
    assert judged.value == used / 10
    assert "the container's limit" in judged.message


def test_memory_of_the_host_is_called_so() -> None:
    assert "the host's memory (no limit is set)" in judge_memory(Memory(1, 2, "host"), 85).message


@pytest.mark.parametrize(
    ("used", "store", "planned", "value", "verdict", "words"),
    [
        (500, None, None, 50, "ok", "file system 500 B of 1000 B"),
        (500, 100, 1000, 50, "ok", "store 100 B of 1000 B planned (10.0 %)"),
        (500, 790, 1000, 79, "ok", "(50.0 %)"),
        (500, 800, 1000, 80, "failing", "outgrows its plan"),
        (800, 100, 1000, 80, "failing", "before it is full"),
        (900, 2000, 1000, 200, "failing", "outgrows its plan"),
        (799, None, None, 79.9, "ok", ""),
    ],
)
def test_disk(  # noqa: PLR0917
    used: int, store: int | None, planned: int | None, value: float, verdict: str, words: str
) -> None:
    judged = judge_disk(Disk(used, 1000, 1, 2), store, planned, 80)
    assert judged.verdict == verdict
    assert judged.value == pytest.approx(value)
    assert words in judged.message


def test_disk_without_any_room_is_full() -> None:
    assert judge_disk(Disk(0, 0, 0, 0), None, None, 80).verdict == "failing"


@pytest.mark.parametrize(("used", "usable", "verdict"), [(79, 100, "ok"), (80, 100, "failing"), (5, 0, "ok")])
def test_inodes(used: int, usable: int, verdict: str) -> None:
    assert judge_inodes(Disk(1, 2, used, usable), 80).verdict == verdict


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [("ok ok", "ok"), ("ok unknown", "unknown"), ("unknown failing ok", "failing"), ("ok failing", "failing")],
)
def test_the_worst_verdict_is_the_whole(verdicts: str, whole: str) -> None:
    judgements = [Judgement("x", 1, 2, "s", verdict, "") for verdict in verdicts.split()]
    assert overall(judgements) == whole


def test_a_judgement_as_line_and_as_dict() -> None:
    judged = Judgement("memory", 41.234, 85, "%", "ok", "words")
    assert judged.as_line() == "ok       memory  41.2 % (limit 85 %): words"
    assert judged.as_dict() == {
        "name": "memory",
        "value": 41.23,
        "limit": 85,
        "unit": "%",
        "verdict": "ok",
        "message": "words",
    }


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (512 << 20, "512 MiB"),
        (3 << 29, "1.5 GiB"),
        (5 << 40, "5.0 TiB"),
        (1 << 62, "4096 PiB"),
    ],
)
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


def test_foreign_text_stays_on_one_short_line() -> None:
    assert one_line("a\nb\x1b[31m") == "a b [31m"
    assert len(one_line("x" * 10_000)) == 200
