"""Takes values out of a JSON object, and collects what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backup.errors import BadConfig


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        BadConfig: there is none.
    """
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise BadConfig([f"{path} cannot be read ({error.strerror}): mount the file that the stack makes"]) from error
    except ValueError as error:
        raise BadConfig([f"{path} is not JSON ({type(error).__name__})"]) from None  # the text may hold secrets
    if not isinstance(found, dict):
        raise BadConfig([f"{path} is not a JSON object"])
    return found


class Reader:
    """One object of the file. Its parts share one list of problems."""

    def __init__(self, given: dict[str, Any], path: Path, within: str = "", problems: list[str] | None = None) -> None:
        """Args: given: the object. path: of the file. within: keys that lead to the object, each with its dot."""
        self._given = given
        self._path = path
        self._within = within
        self._problems: list[str] = [] if problems is None else problems

    def finish(self) -> None:
        """Raise when something was wrong."""
        if self._problems:
            raise BadConfig(self._problems)

    def part(self, name: str) -> Reader:
        """An object within."""
        found = self._given.get(name)
        if not isinstance(found, dict):
            self._wrong(name, "is missing" if found is None else "is not an object", "{…}")
            found = {}
        return Reader(found, self._path, f"{self._within}{name}.", self._problems)

    def text(self, name: str, example: str, *, empty: bool = False) -> str:
        """A text; an absent one counts as empty."""
        found = self._given.get(name, "")
        if not isinstance(found, str):
            self._wrong(name, "is not a text", json.dumps(example))
        elif not found and not empty:
            self._wrong(name, "is missing", json.dumps(example))
        return found if isinstance(found, str) else ""

    def secret(self, name: str, characters: int = 1) -> str:
        """A text of at least so many characters, which no message repeats."""
        found = self._given.get(name, "")
        if not isinstance(found, str) or len(found) < characters:
            what = "is missing" if not found else f"is not a text of at least {characters} characters"
            self._wrong(name, what, "what the stack makes")
            return ""
        return found

    def absolute(self, name: str, example: str) -> str:
        """An absolute path."""
        return self.checked(name, _check_absolute, example)

    def whole(self, name: str, low: int, high: int, example: int) -> int:
        """A whole number."""
        found = self._given.get(name)
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            self._wrong(name, f"is not a whole number from {low} to {high}", str(example))
            return example
        return found

    def flag(self, name: str) -> bool:
        """True or false; false when absent."""
        found = self._given.get(name, False)
        if not isinstance(found, bool):
            self._wrong(name, "is neither true nor false", "true")
            return False
        return found

    def choice(self, name: str, known: Sequence[str]) -> str:
        """One of a few words."""
        found = self._given.get(name)
        if not isinstance(found, str) or found not in known:
            self._wrong(name, f"is none of {', '.join(known)}", json.dumps(known[0]))
            return known[0]
        return found

    def checked(self, name: str, check: Callable[[str], None], example: str) -> str:
        """A text that passes a check."""
        found = self._given.get(name, "")
        try:
            check(found if isinstance(found, str) else "")
        except ValueError as error:
            self._wrong(name, str(error) if found else "is missing", json.dumps(example))
            return example
        return str(found)

    def _wrong(self, name: str, why: str, example: str) -> None:
        self._problems.append(f"{self._path}: {self._within}{name} {why}, for example {example}")


def _check_absolute(text: str) -> None:
    if not text.startswith("/"):
        raise ValueError("is not an absolute path")
