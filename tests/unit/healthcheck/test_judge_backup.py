"""What is said of archive, bases and drills, and that nothing said is told as well."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from healthcheck.backup_state import FILE, read_backup_state
from healthcheck.judge_backup import judge_backups
from healthcheck.judgement import Judgement, Verdict
from healthcheck.observation import BackupView

from tests.unit.healthcheck.backups import NOW_S, WELL, told

OK, DEGRADED = Verdict.OK, Verdict.DEGRADED


def judged(
    seen: BackupView | None, why: str = "", after_s: float = 0.0, watched_s: float = 3600.0
) -> dict[str, Judgement]:
    return {each.name: each for each in judge_backups(seen, why, NOW_S + after_s, watched_s)}


def test_all_is_well() -> None:
    found = judged(WELL)
    assert {name: each.verdict for name, each in found.items()} == {"archive_lag": OK, "base_age": OK, "drill": OK}
    assert (found["archive_lag"].value, found["base_age"].value, found["drill"].value) == (0.4, 0.5, 0.25)
    assert found["base_age"].limit == 2.0


@pytest.mark.parametrize(
    ("seen", "name", "words"),
    [
        (told(archive={"lag_s": 61.0, "why": "the target is gone"}), "archive_lag", "the target is gone"),
        (told(archive={"running": False, "lag_s": None}), "archive_lag", "it does not run"),
        (told(base={"overdue_after_s": NOW_S - 1}), "base_age", "overdue by two schedules"),
        (told(base={"damage": "base 1 lacks data"}), "base_age", "base 1 lacks data"),
        (told(base={"taken_s": None, "failures": 3, "why": "another key"}), "base_age", "3 tries failed: another key"),
        (told(base={"taken_s": None, "overdue_after_s": NOW_S - 1, "failures": 3, "why": "full"}), "base_age", "full"),
        (told(drill={"passed": False, "why": "3 rows are wrong"}), "drill", "3 rows are wrong"),
        (told(drill={"overdue_after_s": NOW_S - 1}), "drill", "overdue"),
        (told(drill={"passed": None, "ended_s": None, "overdue_after_s": NOW_S - 1}), "drill", "overdue"),
    ],
)
def test_each_trouble_is_told_and_is_the_only_one(seen: BackupView, name: str, words: str) -> None:
    found = judged(seen)
    assert {each.name for each in found.values() if each.verdict is not OK} == {name}
    assert found[name].verdict is DEGRADED
    assert words in found[name].message


def test_what_was_not_done_yet_is_no_trouble() -> None:
    first = told(
        archive={"running": False, "lag_s": None, "why": "waits for the store"},
        base={"taken_s": None, "failures": 2, "why": "the target does not answer"},
        drill={"ended_s": None, "passed": None},
    )
    found = judged(first, watched_s=10)
    assert {each.verdict for each in found.values()} == {OK}
    assert "the target does not answer" in found["base_age"].message


@pytest.mark.parametrize(("watched_s", "verdict"), [(599, OK), (601, DEGRADED)])
def test_an_archiver_that_never_told_anything_is_waited_for(watched_s: float, verdict: Verdict) -> None:
    found = judged(None, "No such file or directory", watched_s=watched_s)
    assert {name: each.verdict for name, each in found.items()} == {"archive_lag": verdict}
    assert "No such file" in found["archive_lag"].message


def test_an_archiver_that_fell_silent_is_told_whatever_it_said_last() -> None:
    found = judged(WELL, after_s=61)
    assert {name: each.verdict for name, each in found.items()} == {"archive_lag": DEGRADED}
    assert "told nothing for 61 s" in found["archive_lag"].message


def test_what_the_archiver_wrote_is_read(tmp_path: Path) -> None:
    told_now = asdict(WELL)
    (tmp_path / FILE).parent.mkdir()
    text = json.dumps({"version": 1, "written_s": told_now.pop("told_wall_s"), **told_now})
    (tmp_path / FILE).write_text(text)
    assert read_backup_state(tmp_path) == WELL
    for broken in (text[:-9], text.replace('"version": 1', '"version": 2'), text.replace('"lineage"', '"line"'), "[]"):
        (tmp_path / FILE).write_text(broken)
        with pytest.raises(ValueError, match=r"."):
            read_backup_state(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_backup_state(tmp_path / "nowhere")
