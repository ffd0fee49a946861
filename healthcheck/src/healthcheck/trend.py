"""Where a value is heading: a straight line through its last ten minutes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_S = 600.0
"""Long enough to see through the saw-tooth of saves and batches, short enough to see a leak on the same day."""
SAMPLE_EVERY_S = 10.0
MIN_SPAN_S = 120.0
"""Before, a start or a single batch would pass for a trend."""
MIN_RISE_SHARE = 0.01
"""Of the limit, over the samples' span: less is noise, however straight."""
MIN_SIGMAS = 4.0
"""The slope must be so many of its standard errors, so that noise around a level gives no trend."""


@dataclass(frozen=True, slots=True)
class Line:
    """Least squares through (seconds, value)."""

    per_s: float
    """Slope."""
    error_per_s: float
    """Standard error of the slope."""
    last: float
    """Value of the line at the last sample."""
    span_s: float


def fit(samples: Sequence[tuple[float, float]]) -> Line | None:
    """The line through at least three samples (seconds, value), oldest first; None when there are fewer."""
    count = len(samples)
    if count < 3:
        return None
    last_s = samples[-1][0]
    mean_s = math.fsum(at_s - last_s for at_s, _ in samples) / count
    mean = math.fsum(value for _, value in samples) / count
    spread = math.fsum((at_s - last_s - mean_s) ** 2 for at_s, _ in samples)
    if spread == 0:
        return None
    slope = math.fsum((at_s - last_s - mean_s) * (value - mean) for at_s, value in samples) / spread
    residual = math.fsum((value - mean - slope * (at_s - last_s - mean_s)) ** 2 for at_s, value in samples)
    error = math.sqrt(residual / (count - 2) / spread)
    return Line(slope, error, mean - slope * mean_s, last_s - samples[0][0])


def time_to(limit: float, samples: Sequence[tuple[float, float]]) -> float | None:
    """Seconds until the value reaches the limit if it goes on as it did; None when it is not heading there."""
    line = fit(samples)
    if line is None or line.span_s < MIN_SPAN_S or line.per_s <= 0:
        return None
    if line.per_s < MIN_SIGMAS * line.error_per_s or line.per_s * line.span_s < MIN_RISE_SHARE * limit:
        return None
    return max(0.0, limit - max(line.last, samples[-1][1])) / line.per_s


class Trend:
    """The last ten minutes of one value."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, at_s: float, value: float) -> None:
        """Take a sample, unless the last one is younger than ten seconds. Times are `time.monotonic()`."""
        if self._samples and at_s - self._samples[-1][0] < SAMPLE_EVERY_S:
            return
        self._samples.append((at_s, value))
        while at_s - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()

    def clear(self) -> None:
        """Forget: what is measured has started anew."""
        self._samples.clear()

    def time_to(self, limit: float) -> float | None:
        """Seconds until it reaches the limit; None when it is not heading there."""
        return time_to(limit, tuple(self._samples))
