"""A threshold that does not flap: crossed at its limit, left only some way below it."""

from __future__ import annotations


def crossed(value: float, limit: float, band: float, *, was: bool) -> bool:
    """Whether the threshold counts as crossed.

    Args:
        value: the measured value.
        limit: from this value on it is crossed.
        band: so far below the limit it must fall to be left again; same unit, 0 or more.
        was: whether it counted as crossed before.
    """
    return value >= limit or (was and value > limit - band)


class Thresholds:
    """The state of several thresholds, by name."""

    def __init__(self) -> None:
        self._crossed: set[str] = set()

    def crossed(self, name: str, value: float, limit: float, band: float) -> bool:
        """Judge the value and remember the answer."""
        now = crossed(value, limit, band, was=name in self._crossed)
        (self._crossed.add if now else self._crossed.discard)(name)
        return now
