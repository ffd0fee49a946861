"""How often the guard may restart the server for one reason: each time it did not last, it waits twice as long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healthcheck.actions import RestartReason

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Rate:
    """The wait after the n-th restart within `memory_s` is `first_s` times 2^(n-1), at most `longest_s`."""

    first_s: float
    longest_s: float
    memory_s: float


RATES = {
    # Not recycling ends in the kernel's kill, which is worse than any recycling; a leak may need it often.
    RestartReason.MEMORY_CEILING: Rate(60.0, 600.0, 3600.0),
    RestartReason.WEDGED: Rate(300.0, 6 * 3600.0, DAY_S),
    RestartReason.SERVER_HANGS: Rate(300.0, 6 * 3600.0, DAY_S),
    # Each reads every vector before it serves again.
    RestartReason.DISK_FULL_OVER: Rate(600.0, 6 * 3600.0, DAY_S),
    RestartReason.DAMAGE: Rate(3600.0, DAY_S, DAY_S),
}
"""The planned restart is not here: its limit is the schedule's."""


def wait_s(rate: Rate, times_s: Sequence[float], now_s: float) -> float:
    """How long to wait before the next one is allowed; 0 when it is allowed now.

    Args:
        rate: the limits.
        times_s: of past restarts for the same reason, in any order; later than now counts as now.
        now_s: on the same clock.
    """
    ages_s = sorted(max(0.0, now_s - at_s) for at_s in times_s)
    recent = sum(age_s < rate.memory_s for age_s in ages_s)
    if not recent:
        return 0.0
    # The exponent is cut: a float has no 2^1100, and the longest wait is reached long before.
    gap_s = min(rate.longest_s, rate.first_s * 2.0 ** min(recent - 1, 60))
    return max(0.0, gap_s - ages_s[0])
