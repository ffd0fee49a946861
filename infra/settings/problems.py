"""What is said about settings that cannot be used: what, where it was set, what would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that cannot be used.

    Attributes:
        path: Dotted path of the key, such as `corpus.vectors`.
        message: What is wrong with it.
        remedy: What would do.
        value: The value found, as text; None where there is none, or where it is a secret.
        origin: Where it was set, such as `Pulumi.dev.yaml:4`; None when it was not set by hand.
    """

    path: str
    message: str
    remedy: str
    value: str | None = None
    origin: str | None = None

    def __str__(self) -> str:
        head = f"cortex:{self.path}" + (f" = {self.value}" if self.value is not None else "")
        place = f"  ({self.origin})" if self.origin else ""
        return f"{head}{place}\n    {self.message}; {self.remedy}"


class SettingsError(Exception):
    """Settings that cannot be used. Holds every problem that was found, not just the first."""

    def __init__(self, stack: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        body = "\n".join(f"  {str(problem).replace(chr(10), chr(10) + '  ')}" for problem in self.problems)
        super().__init__(f"the settings of stack {stack} cannot be used ({count}); nothing was changed\n{body}")
