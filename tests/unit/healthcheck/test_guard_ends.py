"""From how a run ended to how deep the store is verified."""

import signal

import pytest
from healthcheck.ends import Check, Depth, End, check_due, end_left_behind, end_of

NOW_NS, SINCE_NS = 1_000, 500


def due(end: End, since_ns: int | None = SINCE_NS, *, has_data: bool = True, everything: bool = False) -> Check:
    return check_due(end, since_ns, has_data=has_data, now_ns=NOW_NS, everything=everything)


def test_a_clean_end_and_a_new_store_are_quick() -> None:
    assert due(End.CLEAN).depth is Depth.QUICK
    assert due(End.NEVER, None, has_data=False).depth is Depth.QUICK


def test_a_store_that_no_guard_has_seen_is_read_whole_and_nothing_is_trusted() -> None:
    found = due(End.NEVER, None)
    assert (found.depth, found.changed_since_ns, found.trust_log_since_ns) == (Depth.EMBEDDINGS, None, None)


@pytest.mark.parametrize("end", [End.CRASHED, End.KILLED_FOR_MEMORY, End.UNKNOWN])
def test_after_a_crash_what_the_run_has_changed_is_read(end: End) -> None:
    found = due(end)
    assert (found.depth, found.changed_since_ns, found.trust_log_since_ns) == (Depth.EMBEDDINGS, SINCE_NS, SINCE_NS)
    assert str(end) in found.why


def test_after_a_full_disk_everything_is_read() -> None:
    found = due(End.DISK_FULL)
    assert (found.depth, found.changed_since_ns, found.trust_log_since_ns) == (Depth.EMBEDDINGS, None, SINCE_NS)


def test_an_unknown_run_is_read_whole() -> None:
    found = due(End.UNKNOWN, None)
    assert (found.depth, found.changed_since_ns, found.trust_log_since_ns) == (Depth.EMBEDDINGS, None, None)


def test_a_clock_that_was_set_back_makes_no_index_look_unchanged() -> None:
    found = due(End.CRASHED, NOW_NS + 1)
    assert (found.changed_since_ns, found.trust_log_since_ns) == (None, None)


def test_a_scrub_that_found_damage_is_followed_by_a_look_at_everything() -> None:
    found = due(End.CLEAN, None, everything=True)
    assert (found.depth, found.changed_since_ns, found.trust_log_since_ns) == (Depth.EMBEDDINGS, None, None)


@pytest.mark.parametrize(
    ("asked", "code", "kills", "disk_full", "end"),
    [
        (True, 0, 0, False, End.CLEAN),
        (True, -signal.SIGTERM, 0, False, End.CLEAN),
        (True, 1, 0, False, End.CRASHED),
        (True, 0, 0, True, End.DISK_FULL),
        (False, 0, 0, False, End.CRASHED),
        (False, -signal.SIGKILL, 0, False, End.CRASHED),
        (False, -signal.SIGKILL, 1, False, End.KILLED_FOR_MEMORY),
        (False, -signal.SIGSEGV, 1, False, End.CRASHED),
        (False, -signal.SIGKILL, 1, True, End.DISK_FULL),
    ],
)
def test_marks(*, asked: bool, code: int, kills: int, disk_full: bool, end: End) -> None:
    assert end_of(asked=asked, exit_code=code, memory_kills=kills, disk_full=disk_full) is end


def test_a_mark_that_was_left_behind() -> None:
    assert end_left_behind(End.CLEAN, disk_full=False) is End.CLEAN
    assert end_left_behind(End.RUNNING, disk_full=False) is End.UNKNOWN
    assert end_left_behind(End.RUNNING, disk_full=True) is End.DISK_FULL
