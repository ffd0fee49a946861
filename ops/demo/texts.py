"""Real texts that are at hand: Debian's package descriptions, else the documentation inside Python's own library."""

from __future__ import annotations

import ast
import hashlib
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

# Fewer means that the package lists were never fetched.
FEWEST_PACKAGES = 1_000
SHORTEST_TEXT = 40


@dataclass(frozen=True, slots=True)
class Text:
    """A text to index.

    Attributes:
        id: Stable over runs, so that a second run writes nothing anew.
        text: What is embedded and searched.
        metadata: Facts about it, a digest of the text among them.
    """

    id: str
    text: str
    metadata: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the texts come from, and questions that make sense for them."""

    name: str
    texts: tuple[Text, ...]
    questions: tuple[str, ...]


def collect(count: int) -> Source:
    """Gather texts.

    Args:
        count: How many at most.

    Returns:
        Debian's package descriptions where apt has its lists, else docstrings.
    """
    packages = tuple(islice(_debian_packages(), count)) if shutil.which("apt-cache") else ()
    if len(packages) >= min(count, FEWEST_PACKAGES):
        return Source(
            "Debian package descriptions",
            packages,
            (
                "edit photos and pictures",
                "keep a database safe with backups",
                "play chess against the computer",
                "find out what is slow in my program",
                "library for machine learning on text",
            ),
        )
    return Source(
        "docstrings of Python's standard library and installed packages",
        tuple(islice(_docstrings(), count)),
        (
            "read a file line by line",
            "wait for several things at the same time",
            "parse a date from text",
            "send a request to a web server",
            "compress data to make it smaller",
        ),
    )


def _text(key: str, text: str, metadata: dict[str, str | int]) -> Text:
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Text(key, text, {**metadata, "digest": digest})


def _debian_packages() -> Iterator[Text]:
    done = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, errors="replace", check=False)
    seen: set[str] = set()
    for record in done.stdout.split("\n\n"):
        fields = _fields(record)
        name, description = fields.get("Package", ""), fields.get("Description", fields.get("Description-en", ""))
        if not name or name in seen or len(description) < SHORTEST_TEXT:
            continue
        seen.add(name)
        yield _text(
            name, description, {"section": fields.get("Section", "unknown"), "version": fields.get("Version", "")}
        )


def _fields(record: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in record.splitlines():
        if line[:1].isspace():
            word = line.strip()
            fields[key] = f"{fields.get(key, '')}\n{'' if word == '.' else word}"
        elif ": " in line or line.endswith(":"):
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields


def _docstrings() -> Iterator[Text]:
    roots = dict.fromkeys(sysconfig.get_path(name) for name in ("stdlib", "platlib"))
    for root in roots:
        for path in sorted(Path(root).rglob("*.py")):
            yield from _module_docstrings(path, path.relative_to(root).with_suffix("").as_posix().replace("/", "."))


def _module_docstrings(path: Path, module: str) -> Iterator[Text]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and len(text) >= SHORTEST_TEXT:
                line = getattr(node, "lineno", 0)
                yield _text(f"{module}:{line}", text[:5_000], {"module": module, "line": line})
