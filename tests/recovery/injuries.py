"""Damage to the files of a stopped store."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from tests.recovery.rows import text_of, vectors_of

BIG, SMALL = "big", "small"
"""The collections of a fault's store (scene.py)."""
PICKLE = "index_metadata.pickle"
DATA = "data_level0.bin"
LINKS = "link_lists.bin"
HEADER = "header.bin"


def database(store: Path) -> Path:
    """SQLite's file."""
    return store / "chroma.sqlite3"


def index(store: Path, collection: str = BIG) -> Path:
    """The index's folder of a collection."""
    question = (
        "SELECT s.id FROM segments s JOIN collections c ON s.collection = c.id WHERE c.name = ? AND s.scope = 'VECTOR'"
    )
    connection = sqlite3.connect(f"file:{database(store)}?mode=ro", uri=True)
    try:
        return store / str(connection.execute(question, (collection,)).fetchone()[0])
    finally:
        connection.close()


def remove_index(store: Path) -> None:
    """The whole folder."""
    shutil.rmtree(index(store))


def remove_pickle(store: Path) -> None:
    """As after a copy that forgot a file."""
    (index(store) / PICKLE).unlink()


def empty_pickle(store: Path) -> None:
    """As a kill leaves it that comes just after the file was opened."""
    (index(store) / PICKLE).write_bytes(b"")


def truncate_pickle(store: Path) -> None:
    """As a kill leaves it that comes while it is written."""
    _cut(index(store) / PICKLE)


def cut_data(store: Path) -> None:
    """Half of the elements."""
    _cut(index(store) / DATA)


def cut_links(store: Path) -> None:
    """Half of the upper layers."""
    _cut(index(store) / LINKS)


def garble_header(store: Path) -> None:
    """Every second byte of the header inverted."""
    header = index(store) / HEADER
    header.write_bytes(bytes(byte ^ (0xFF if at % 2 else 0) for at, byte in enumerate(header.read_bytes())))


def swap_indexes(store: Path) -> None:
    """Two collections' folders under each other's name."""
    one, other, aside = index(store, BIG), index(store, SMALL), store / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def flip_index_byte(store: Path) -> None:
    """One bit of one vector in the index."""
    flip(index(store) / DATA, vectors_of([FLIPPED_ROW], [VERSION]).tobytes(), 2)


def flip_log_byte(store: Path) -> None:
    """One bit of one vector in the log; where the log is purged, of one that is not yet."""
    try:
        flip(database(store), vectors_of([FLIPPED_ROW], [VERSION]).tobytes(), 2)
    except LookupError:
        flip(database(store), vectors_of([LATE_ROW], [VERSION]).tobytes(), 2)


def flip_document_byte(store: Path) -> None:
    """One bit in each copy of one document; SQLite's own check does not look at values."""
    flip(database(store), text_of(FLIPPED_ROW, VERSION).encode(), 2)


def garble_page(store: Path) -> None:
    """The head of the page in which SQLite keeps the records' documents."""
    connection = sqlite3.connect(f"file:{database(store)}?mode=ro", uri=True)
    try:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        question = "SELECT rootpage FROM sqlite_master WHERE name = 'embedding_metadata'"
        page = connection.execute(question).fetchone()[0]
    finally:
        connection.close()
    with database(store).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 16)


def switch_log_off(store: Path) -> None:
    """What `chroma vacuum` does to the setting, without its purge."""
    set_purge(store, purge=True)


def switch_log_on(store: Path) -> None:
    """Back, by hand."""
    set_purge(store, purge=False)


def set_purge(store: Path, *, purge: bool) -> None:
    """Whether Chroma removes rows from the log."""
    text = f'{{"automatically_purge":{str(purge).lower()},"_type":"EmbeddingsQueueConfigurationInternal"}}'
    connection = sqlite3.connect(database(store), timeout=10)
    try:
        connection.execute("UPDATE embeddings_queue_config SET config_json_str = ?", (text,))
        connection.commit()
    finally:
        connection.close()


def flip(file: Path, near: bytes, offset: int) -> None:
    """Invert a bit `offset` bytes into each place where `near` is found.

    Raises:
        LookupError: it is nowhere.
    """
    content = bytearray(file.read_bytes())
    at, places = content.find(near), 0
    while at >= 0:
        content[at + offset] ^= 0x10
        places += 1
        at = content.find(near, at + len(near))
    if not places:
        raise LookupError(f"{near[:40]!r} is not in {file}")
    file.write_bytes(content)


VERSION = 1
"""Of every row in a fault's store."""
FLIPPED_ROW = 1_007
LATE_ROW = 2_290
"""Written after the last save: its vector is in the log of a stock store too."""


def _cut(file: Path) -> None:
    size = file.stat().st_size
    if not size:
        raise LookupError(f"{file} is empty already")
    with file.open("r+b") as opened:
        opened.truncate(size // 2)
