from __future__ import annotations

import struct
from pathlib import Path

import pytest
from backup.ltx import Piece, gap, piece, plan

from backup import continuing, ltx


def header(first: int, last: int, offset: int = 32, size: int = 0, salts: tuple[int, int] = (7, 8)) -> bytes:
    raw = struct.pack(">4sIIIQQqQqqII", b"LTX1", 2, 4096, 10, first, last, 1_795_000_000_123, 0, offset, size, *salts)
    return raw.ljust(ltx.HEADER_BYTES, b"\0")


def pieces(*given: tuple[int, int, int]) -> list[Piece]:
    return [Piece(level, first, last, 1_000) for level, first, last in given]


def test_names_and_headers_are_read() -> None:
    found = piece("20261123T093618Z-e4fcdb56/ltx/0/0000000000000003-000000000000000a.ltx", 200)
    assert found == Piece(0, 3, 10, 200)
    assert found is not None
    assert found.name == "ltx/0/0000000000000003-000000000000000a.ltx"
    assert piece("ltx/0/0000000000000003-0000000000000003.ltx.4666.1795426616233401266.tmp", 200) is None
    read = ltx.read_header(header(3, 10, 32, 4120))
    assert (read.first, read.last, read.made_ms, read.wal_end, read.salts) == (3, 10, 1_795_000_000_123, 4152, (7, 8))
    with pytest.raises(ValueError, match="no LTX file"):
        ltx.read_header(header(3, 10)[:50])


def test_a_plan_takes_few_files_and_reaches_as_far_as_it_can() -> None:
    known = pieces((9, 1, 100), (9, 1, 50), (1, 1, 60), (1, 61, 120), (0, 119, 119), (0, 120, 120), (0, 121, 121))
    assert plan(known) == tuple(pieces((9, 1, 100), (1, 61, 120), (0, 121, 121)))
    assert plan(known, upto=119) == tuple(pieces((9, 1, 100)))
    assert plan(known, upto=40) == ()
    assert gap(known) == ""


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ([], "it holds no files"),
        (pieces((9, 1, 100), (0, 102, 102)), "transactions 101 to 101 are missing, of 102"),
        (pieces((1, 5, 10)), "transactions 1 to 4 are missing, of 10"),
        ([Piece(0, 1, 1, 12)], "ltx/0/0000000000000001-0000000000000001.ltx has only 12 bytes"),
    ],
)
def test_what_is_missing_is_named(known: list[Piece], why: str) -> None:
    assert gap(known) == why


def store_with_wal(folder: Path, salts: tuple[int, int], size: int) -> Path:
    folder.mkdir(exist_ok=True)
    raw = struct.pack(">IIII", 0x377F0682, 3007000, 4096, 1) + struct.pack(">II", *salts)
    (folder / "chroma.sqlite3-wal").write_bytes(raw.ljust(size, b"\0"))
    return folder


def stage(folder: Path, first: int, last: int, raw: bytes) -> None:
    file = folder / Piece(0, first, last, 0).name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw)


def test_a_lineage_goes_on_only_in_the_same_log(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    stage(staging, 1, 1, header(1, 1, 32, 4120))
    stage(staging, 2, 2, header(2, 2, 4152, 8240))
    last = continuing.last_header(staging)
    assert last is not None
    assert last.last == 2
    assert continuing.may_continue(store_with_wal(tmp_path / "store", (7, 8), 20_000), last)
    assert not continuing.may_continue(store_with_wal(tmp_path / "store", (8, 9), 20_000), last)
    assert not continuing.may_continue(store_with_wal(tmp_path / "store", (7, 8), 9_000), last)
    assert not continuing.may_continue(tmp_path, last)


@pytest.mark.parametrize(
    ("following", "joined"),
    [
        (header(3, 3, 12392, 4120), True),
        (header(3, 3, 32, 4120, (8, 9)), False),
        (header(3, 3, 16512, 4120), False),
        (header(4, 4, 12392, 4120), False),
        (b"half a file", False),
        (None, None),
    ],
)
def test_the_first_new_file_must_join(tmp_path: Path, following: bytes | None, joined: bool | None) -> None:
    stage(tmp_path, 2, 2, header(2, 2, 4152, 8240))
    last = continuing.last_header(tmp_path)
    assert last is not None
    if following is not None:
        number = 4 if following[23:24] == b"\x04" else 3
        stage(tmp_path, number, number, following)
    assert continuing.joins(tmp_path, last) is joined


def test_staging_without_a_readable_file_proves_nothing(tmp_path: Path) -> None:
    assert continuing.last_header(tmp_path) is None
    stage(tmp_path, 1, 1, b"torn")
    assert continuing.last_header(tmp_path) is None
