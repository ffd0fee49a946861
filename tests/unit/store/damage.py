"""Ways to damage a store, each as a process or a disk would leave it behind."""

import os
import shutil
import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from store.verification.sample import positions_of

from store import index

PICKLE = "index_metadata.pickle"
DATA = "data_level0.bin"


def sql(path: Path, statement: str, arguments: Iterable[object] = ()) -> None:
    with closing(sqlite3.connect(path / "chroma.sqlite3")) as database:
        database.execute(statement, tuple(arguments))
        database.commit()


def ask(path: Path, query: str, arguments: Iterable[object] = ()) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path / "chroma.sqlite3")) as database:
        return database.execute(query, tuple(arguments)).fetchall()


def segment(path: Path, name: str) -> str:
    query = "SELECT segments.id FROM segments JOIN collections ON collections.id = collection AND scope = 'VECTOR'"
    return str(ask(path, f"{query} WHERE name = ?", [name])[0][0])


def topic(path: Path, name: str) -> str:
    """Pattern for the topic of a collection's rows."""
    [(id_,)] = ask(path, "SELECT id FROM collections WHERE name = ?", [name])
    return f"%{id_}"


def folder(path: Path, name: str) -> Path:
    return path / segment(path, name)


def cut(file: Path, *, share: float = 0.5) -> None:
    os.truncate(file, int(file.stat().st_size * share))


def overwrite(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def flip(file: Path, offset: int, mask: int = 0x10) -> None:
    with file.open("r+b") as stream:
        stream.seek(offset)
        (byte,) = stream.read(1)
        stream.seek(offset)
        stream.write(bytes([byte ^ mask]))


def element(path: Path, name: str, position: int) -> int:
    """Offset of an element in the data file."""
    return position * index.read_header(folder(path, name)).element_bytes


def vector_offset(path: Path, name: str, id_: str) -> int:
    """Offset of the vector of an id in the data file."""
    found = position_of(path, name, id_)
    return element(path, name, found) + index.read_header(folder(path, name)).vector_offset


def position_of(path: Path, name: str, id_: str) -> int:
    labels: dict[str, int] = {}
    index.read_ids(folder(path, name), labels.__setitem__)
    with index.Elements(folder(path, name), index.read_header(folder(path, name))) as elements:
        all_labels, _ = elements.labels()
    return list(all_labels).index(labels[id_])


def unsampled(path: Path, name: str, candidates: range = range(30, 60)) -> str:
    """The id of an element which `quick` does not look at. Chroma adds in parallel, so positions differ each time."""
    sampled = positions_of(index.read_header(folder(path, name)).elements)
    return next(id_ for id_ in (f"row-{row}" for row in candidates) if position_of(path, name, id_) not in sampled)


def swap(path: Path, first: str, second: str) -> None:
    one, other = folder(path, first), folder(path, second)
    one.rename(path / "between")
    other.rename(one)
    (path / "between").rename(other)


def orphan(path: Path) -> None:
    shutil.copytree(folder(path, "plain"), path / "00000000-1111-2222-3333-444444444444")


def forget_row(path: Path, name: str) -> None:
    """As a repair leaves it that was killed before it removed the folder, or a first save before it told SQLite."""
    sql(path, "DELETE FROM max_seq_id WHERE segment_id = ?", [segment(path, name)])


def older_index(path: Path, name: str, older: Path) -> None:
    """An index of an earlier state under the number of the present one."""
    target = folder(path, name)
    shutil.rmtree(target)
    shutil.copytree(folder(older, name), target)


def flip_logged_vector(path: Path, name: str, id_: str) -> None:
    query = "SELECT max(seq_id), vector FROM embeddings_queue WHERE topic LIKE ? AND id = ? AND vector IS NOT NULL"
    [(seq_id, vector)] = ask(path, query, [topic(path, name), id_])
    values = list(struct.unpack(f"<{len(vector) // 4}f", vector))  # type: ignore[arg-type]
    values[0] += 0.5
    flipped = struct.pack(f"<{len(values)}f", *values)
    sql(path, "UPDATE embeddings_queue SET vector = ? WHERE seq_id = ?", [flipped, seq_id])
