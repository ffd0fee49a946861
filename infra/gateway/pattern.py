"""Paths with names in braces as regular expressions, so strict that each name has one spelling and no path a second."""

from __future__ import annotations

import re
from urllib.parse import quote

# What clients leave as it is: unreserved (RFC 3986), and the marks that JavaScript's encodeURIComponent leaves.
_PLAIN = r"[A-Za-z0-9_~!'()*.-]"
# Everything else, encoded in capitals. Not in it: control characters, `%`, `/`, `\`, and what needs no encoding.
_ENCODED = "%(?:2[0-46-9A-C]|3[A-F]|40|5[BDE]|60|7[BCD]|[89A-F][0-9A-F])"
NAME = rf"(?!\.{{1,2}}(?:/|$))(?:{_PLAIN}|{_ENCODED})+"
UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_OTHER = {"collection_id": UUID}
_BRACES = re.compile(r"\{(\w+)\}")


def regular_expression(path: str) -> str:
    """The path as a regular expression of PCRE and Python, without anchors.

    Args:
        path: Such as `/v1/collections/{name}/count`.
    """
    parts = _BRACES.split(path)
    # Every second part was in braces.
    return "".join(_OTHER.get(part, NAME) if odd % 2 else re.escape(part) for odd, part in enumerate(parts))


def shape(path: str) -> str:
    """The path with nothing in its braces, to compare it with another's naming."""
    return _BRACES.sub("{}", path)


def spellings(name: str) -> tuple[str, ...]:
    """A tenant's or database's name as clients write it into a path: Python's, and JavaScript's if it differs.

    Args:
        name: As it was given to Chroma.

    Raises:
        ValueError: It cannot be written into one segment of a path.
    """
    found = tuple(dict.fromkeys((quote(name, safe=""), quote(name, safe="!'()*"))))
    for spelling in found:
        if not re.fullmatch(NAME, spelling):
            raise ValueError(f"{name!r} cannot stand in a path; use letters, digits, dot, dash and underscore")
    return found
