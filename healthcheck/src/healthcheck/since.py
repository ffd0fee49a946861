"""For how long has something been so, without a break?"""

from __future__ import annotations


class Since:
    """Start of each condition that holds, by name."""

    def __init__(self) -> None:
        self._starts: dict[str, tuple[int | None, float]] = {}

    def held(self, name: str, holds: bool, pid: int | None, now_s: float) -> float:
        """Seconds for which it has held for this process; 0 when it does not hold.

        Args:
            name: of the condition.
            holds: whether it does now.
            pid: another process begins anew.
            now_s: `time.monotonic()` or any clock that does not jump.
        """
        if not holds:
            self._starts.pop(name, None)
            return 0.0
        known_pid, start_s = self._starts.get(name, (pid, now_s))
        if known_pid != pid:
            start_s = now_s
        self._starts[name] = (pid, start_s)
        return now_s - start_s
