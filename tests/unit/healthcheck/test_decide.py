"""What the guard does about what it sees, and what it leaves alone."""

import sys
from pathlib import Path

import pytest
from healthcheck.actions import Phase, Restart, RestartReason, SetWritable
from healthcheck.limits import MemoryModel, ServerKind
from healthcheck.observation import CanaryView, DiskView, MemoryView
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from decision_scene import GIB, World  # found by the line above

SMALL = MemoryModel(base_bytes=GIB // 8, vector_overhead_bytes=500, collection_bytes=3 << 20, work_bytes=0)
LARGE = MemoryModel(base_bytes=GIB, vector_overhead_bytes=500, collection_bytes=3 << 20, work_bytes=0)


def test_all_is_well() -> None:
    assert World().run(3600) == []


# Memory


def test_memory_at_the_ceiling_for_ten_seconds_is_a_recycle() -> None:
    world = World(memory_model=SMALL)
    world.memory(94)
    assert world.run(10) == []
    (action,) = world.run(2)
    assert isinstance(action, Restart)
    assert action.reason is RestartReason.MEMORY_CEILING
    assert not action.verify_everything
    assert "963 MiB of 1.0 GiB" in action.message


def test_a_short_peak_is_none() -> None:
    world = World(memory_model=SMALL)
    for _ in range(20):
        world.memory(99)
        world.run(9)
        world.memory(80)
        world.run(1)
    assert world.done == []


def test_no_recycle_that_would_not_bring_it_down() -> None:
    world = World(memory_model=LARGE)
    world.memory(99)
    assert world.run(3600) == []


def test_without_a_model_it_is_tried() -> None:
    world = World()
    world.memory(99)
    world.run(60)
    assert world.restarts() == [RestartReason.MEMORY_CEILING]


def test_the_memory_of_a_host_is_not_the_servers_alone() -> None:
    world = World()
    world.memory(99, scope="host")
    assert world.run(600) == []


def test_a_recycle_that_does_not_last_becomes_rare() -> None:
    world = World(memory_model=SMALL)
    world.memory(99)
    world.run(3600)
    assert 4 <= len(world.restarts()) <= 10


# Wedged and hanging


def test_a_failing_canary_is_a_restart_after_its_time() -> None:
    world = World()
    world.server(status="failing", canary=CanaryView(False, 1.0, "database is locked"))
    assert world.run(90) == []
    world.run(1)
    assert world.restarts() == [RestartReason.WEDGED]


def test_one_failed_canary_is_none() -> None:
    world = World()
    world.server(status="failing", canary=CanaryView(False, 1.0, "x"))
    world.run(61)
    world.server(status="ok", canary=CanaryView(True, 1.0))
    assert world.run(600) == []


def test_a_canary_that_hangs_is_seen_by_its_age() -> None:
    world = World()
    for age_s in range(200):
        world.server(canary=CanaryView(True, float(age_s)))
        world.run(1)
        if world.restarts():
            break
    # 60 s to the next one, 5 s that it may take, 90 s of hanging.
    assert age_s == pytest.approx(156, abs=1)
    assert world.restarts() == [RestartReason.WEDGED]


def test_a_server_that_does_not_answer_is_restarted() -> None:
    world = World()
    world.server(answered=False, status="", problem="did not answer in time")
    assert world.run(90) == []
    world.run(1)
    assert world.restarts() == [RestartReason.SERVER_HANGS]


def test_a_new_process_gets_its_own_time() -> None:
    world = World()
    world.server(answered=False, status="")
    world.run(80)
    world.server(pid=8)
    assert world.run(90) == []


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.SERVING])
def test_only_a_server_that_serves_is_restarted(phase: Phase) -> None:
    world = World(scrub_interval_s=1.0, maintenance="daily 00:00 1440m")
    world.phase = phase
    world.memory(99)
    world.server(answered=False, disk_full=True)
    world.run(600)
    assert not [action for _, action in world.done if not isinstance(action, SetWritable)]


# Disk


def test_not_writable_before_the_disk_is_full_and_again_with_hysteresis() -> None:
    world = World()
    told = []
    for percent in [94.9, 95, 94, 96, 92.1, 93, 92, 94, 96]:
        world.disk(percent)
        told += [(percent, action.ok) for action in world.run(10) if isinstance(action, SetWritable)]
    assert told == [(95, False), (92, True), (96, False)]
    assert world.restarts() == []


def test_a_file_system_without_inodes_is_full_too() -> None:
    world = World()
    world.see(disk=DiskView(1, 100, 990, 1000))
    (action,) = world.run(5)
    assert action == SetWritable(False, action.message, 60)  # type: ignore[union-attr]
    assert "number of files" in action.message


def test_after_a_full_disk_a_restart_with_everything_verified_then_writable() -> None:
    world = World()
    world.disk(99.9)
    world.server(disk_full=True, status="failing", canary=CanaryView(False, 1, "database or disk is full"))
    (closed,) = world.run(7200)
    assert isinstance(closed, SetWritable)
    assert not closed.ok
    world.disk(60)
    told, restart = world.run(10)
    assert isinstance(told, SetWritable)
    assert not told.ok
    assert isinstance(restart, Restart)
    assert restart.reason is RestartReason.DISK_FULL_OVER
    assert restart.verify_everything
    world.server(pid=8, disk_full=False, status="ok", canary=CanaryView(True, 1))
    (opened,) = world.run(600)
    assert isinstance(opened, SetWritable)
    assert opened.ok


def test_a_full_disk_that_comes_back_brings_no_storm() -> None:
    world = World()
    world.server(disk_full=True)
    world.run(86_400, step_s=10)
    assert 3 <= len(world.restarts()) <= 12


def test_no_other_restart_without_room() -> None:
    world = World()
    world.disk(99)
    world.memory(99)
    world.server(answered=False)
    world.run(3600)
    assert world.restarts() == []


@settings(max_examples=30)
@given(st.lists(st.floats(92.01, 94.99), min_size=1, max_size=40), st.booleans())
def test_writable_does_not_flap_within_the_band(shares: list[float], full_before: bool) -> None:
    world = World()
    world.disk(96 if full_before else 50)
    world.run(3)
    world.done.clear()
    for share in shares:
        world.see(disk=DiskView(int(share * 1e6), 100_000_000, 0, 0))
        world.run(3)
    assert world.done == []


# Scrub results


def test_what_a_scrub_found_is_mended_once() -> None:
    world = World()
    world.scrub(ended_wall_s=5.0, findings=3, undecided=1, mendable=2)
    (action,) = world.run(7200)
    assert isinstance(action, Restart)
    assert action.reason is RestartReason.DAMAGE
    assert action.verify_everything
    world.scrub(ended_wall_s=90_000.0, findings=3, undecided=1, mendable=2)
    world.run(3600)
    assert len(world.restarts()) == 2


def test_what_nobody_can_decide_is_left_alone() -> None:
    world = World()
    world.scrub(ended_wall_s=5.0, findings=3, undecided=1)
    assert world.run(3600) == []


# A server without a store


def test_a_server_without_a_store_is_only_restarted_when_it_hangs_or_grows() -> None:
    world = World(server=ServerKind.NONE, scrub_interval_s=1, maintenance="daily 00:00 1440m")
    world.see(disk=None, store=None)
    world.server(canary=None)
    assert world.run(600) == []
    world.see(memory=MemoryView(99, 100, "container"))
    world.run(60)
    assert world.restarts() == [RestartReason.MEMORY_CEILING]


def test_what_cannot_be_measured_leads_to_nothing() -> None:
    world = World()
    world.see(disk=None, store=None, memory=None)
    world.server(canary=None)
    assert world.run(600) == []


# Restarts of the guard


def test_rate_limits_outlive_the_guard() -> None:
    world = World(memory_model=SMALL)
    world.memory(99)
    world.run(600)
    again = World(world.decider.remembered, wall_s=world.wall_s, memory_model=SMALL)
    again.memory(99)
    again.run(60)
    assert again.restarts() == []


def test_a_clock_set_back_years_does_not_block_for_years() -> None:
    world = World(memory_model=SMALL)
    world.memory(99)
    world.run(60)
    again = World(world.decider.remembered, wall_s=world.wall_s - 10 * 365 * 86_400, memory_model=SMALL)
    again.memory(99)
    again.run(600)
    assert 1 <= len(again.restarts()) <= 5
