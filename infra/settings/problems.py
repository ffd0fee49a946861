"""What is said about settings that cannot be used: what, where it was set, what would do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace


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


def placed(problems: Iterable[Problem], origins: Mapping[str, str]) -> list[Problem]:
    """Say where each setting was set: on its own line, or on that of the group it is missing from.

    Args:
        problems: What was found.
        origins: Dotted path to the place where it was set (`infra.settings.origins.key_lines`).
    """
    return [replace(problem, origin=_origin(problem.path, origins)) for problem in problems]


def _origin(path: str, origins: Mapping[str, str]) -> str | None:
    while path and path not in origins:
        path = path.rpartition(".")[0]
    return origins.get(path)


class SettingsError(Exception):
    """Settings that cannot be used. Holds every problem that was found, not just the first."""

    def __init__(self, stack: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        body = "\n".join(f"  {str(problem).replace(chr(10), chr(10) + '  ')}" for problem in self.problems)
        super().__init__(f"the settings of stack {stack} cannot be used ({count}); nothing was changed\n{body}")
