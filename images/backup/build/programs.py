"""`python programs.py SBOM PROGRAM …`: adds to an image's list what Go says that its programs were made of."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

# The build information of Go 1.18 and newer: a header of 32 bytes, then two strings, each with its length before it.
MAGIC = b"\xff Go buildinf:"
HEADER_BYTES = 32
# Markers around the list of modules.
FRAME_BYTES = 16


def modules(program: bytes) -> Iterator[tuple[str, str]]:
    """Path and version of each Go module in a program, Go's own library included.

    Raises:
        ValueError: It was not made by Go, or by one that is too old.
    """
    at = program.find(MAGIC)
    if at < 0:
        raise ValueError("no build information of Go")
    version, at = _text(program, at + HEADER_BYTES)
    yield "stdlib", version.removeprefix("go").split()[0]
    listed, _ = _text(program, at)
    rows = [line.split("\t") for line in listed[FRAME_BYTES:-FRAME_BYTES].splitlines()]
    for number, row in enumerate(rows):
        replaced = number + 1 < len(rows) and rows[number + 1][0] == "=>"
        if row[0] in {"mod", "dep", "=>"} and not replaced and row[2].startswith("v"):
            yield row[1], row[2]


def _text(program: bytes, at: int) -> tuple[str, int]:
    """A string with its length before it (seven bits a byte, the lowest first), and where it ends."""
    length = shift = 0
    while True:
        byte = program[at]
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return program[at : at + length].decode(errors="replace"), at + length


def main() -> int:
    """Add to the list."""
    listed = Path(sys.argv[1])
    sbom = json.loads(listed.read_text(encoding="utf-8"))
    found = {each for path in sys.argv[2:] for each in modules(Path(path).read_bytes())}
    for name, version in sorted(found):
        purl = f"pkg:golang/{name}@{version}"
        sbom["components"].append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    listed.write_text(json.dumps(sbom, indent=1) + "\n", encoding="utf-8")
    print(f"sbom: {len(found)} Go modules in {len(sys.argv) - 2} programs")  # noqa: T201 -- a build step's way to speak
    return 0


if __name__ == "__main__":
    sys.exit(main())
