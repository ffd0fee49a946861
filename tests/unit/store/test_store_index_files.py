"""Reading the files of an index which the real Chroma wrote, and refusing what no save writes."""

import pickle
import struct
import sys
import types
from pathlib import Path

import pytest
from store.index.header import parse_header
from store.verification.vectors import Match, compare, is_broken, only_length_differs

import store
from store import index
from tests.unit.store import damage, sound_store
from tests.unit.store.damage import PICKLE, folder


@pytest.mark.parametrize("name", ["plain", "angles", "inner"])
def test_every_vector_is_read_as_it_was_written(sound: Path, sound_root: Path, name: str) -> None:
    expected = sound_store.expected(sound_root)[f"default_database/{name}"]
    own = folder(sound, name)
    header = index.read_header(own)
    ids: dict[int, str] = {}
    summary = index.read_ids(own, lambda id_, label: ids.update({label: id_}))
    assert summary == index.IdSummary(total_added=155, ids=140, highest_label=155)
    assert header.elements == 155
    with index.Elements(own, header) as elements:
        labels, deleted = elements.labels()
        assert sorted(labels) == list(range(1, 156))
        assert sum(deleted) == 15
        space = "cosine" if name == "angles" else "l2"
        for position, label in enumerate(labels):
            assert elements.label(position) == label
            assert elements.is_deleted(position) == bool(deleted[position]) == (label not in ids)
            if label in ids:
                vector = struct.unpack(f"<{header.dimensions}f", elements.vector(position, space))
                assert vector == pytest.approx(expected[ids[label]]["vector"], rel=1e-6, abs=1e-5)
                assert 0 < len(elements.links(position)) <= header.max_links_lowest
    assert index.read_levels(own, header).bytes == (own / "link_lists.bin").stat().st_size


def test_a_stamp_tells_whether_something_was_saved(sound: Path) -> None:
    before = index.stamp(folder(sound, "plain"))
    assert before == index.stamp(folder(sound, "plain"))
    assert before.ends_with_ids()
    (folder(sound, "plain") / "header.bin").touch()
    after = index.stamp(folder(sound, "plain"))
    assert after != before
    assert not after.ends_with_ids()
    (folder(sound, "plain") / PICKLE).unlink()
    with pytest.raises(index.IndexTorn, match=r"index_metadata.pickle is missing") as caught:
        index.stamp(folder(sound, "plain"))
    assert caught.value.incomplete


def test_ids_cut_anywhere_are_refused(sound_root: Path, tmp_path: Path) -> None:
    whole = (folder(sound_root / "store", "plain") / PICKLE).read_bytes()
    for size in range(len(whole)):
        (tmp_path / PICKLE).write_bytes(whole[:size])
        with pytest.raises(index.IndexTorn):
            index.read_ids(tmp_path)


def test_every_flipped_bit_of_a_header_is_seen_or_harmless(sound: Path) -> None:
    """Harmless are the room that Chroma takes in memory, and how it will build, not what it reads."""
    raw = (folder(sound, "plain") / "header.bin").read_bytes()
    structure = index.read_header(folder(sound, "plain"))
    overlooked = set()
    for at in range(len(raw)):
        for bit in range(8):
            flipped = bytearray(raw)
            flipped[at] ^= 1 << bit
            try:
                found = parse_header(bytes(flipped))
            except index.IndexTorn:
                continue
            if found.elements == structure.elements and found.dimensions == structure.dimensions:
                overlooked.add(at)
    capacity, level, entry, mult, construction = (
        range(12, 20),
        range(52, 56),
        range(56, 60),
        range(84, 92),
        range(92, 100),
    )
    assert overlooked <= {*capacity, *level, *entry, *mult, *construction}


@pytest.mark.parametrize("name", ["plain", "angles"])
def test_any_flipped_bit_of_a_vector_is_seen(sound: Path, name: str) -> None:
    own = folder(sound, name)
    position = damage.position_of(sound, name, "row-40")
    [(logged,)] = damage.ask(
        sound,
        "SELECT vector FROM embeddings_queue WHERE id = 'row-40' AND topic LIKE ?",
        [damage.topic(sound, name)],
    )
    assert isinstance(logged, bytes)
    with index.Elements(own, index.read_header(own)) as elements:
        stored = elements.stored(position)
        length = elements.length(position) if name == "angles" else None
    assert compare(logged, stored, length) is Match.EQUAL
    for bit in range(8 * len(stored)):
        flipped = bytearray(stored)
        flipped[bit // 8] ^= 1 << bit % 8
        assert compare(logged, bytes(flipped), length) is not Match.EQUAL, bit


def pickled_before_1(file: Path, **changes: object) -> None:
    """Write the ids as Chroma's Python did: an object of a class, which does not exist here."""
    maps = pickle.loads(file.read_bytes())  # noqa: S301 (made by this test)
    module = types.ModuleType("chromadb.segment.impl.vector.local_persistent_hnsw")
    kind = type("PersistentData", (), {"__module__": module.__name__})
    module.PersistentData = kind  # type: ignore[attr-defined]
    older = kind()
    older.__dict__.update(maps, **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        for depth in range(1, 5):
            name = ".".join(module.__name__.split(".")[:depth])
            patch.setitem(sys.modules, name, types.ModuleType(name))
        file.write_bytes(pickle.dumps(older, protocol=5))


def test_ids_of_an_older_chroma_are_read_too(sound: Path, sound_root: Path) -> None:
    file = folder(sound, "plain") / PICKLE
    before: dict[str, int] = {}
    summary = index.read_ids(file.parent, before.__setitem__)
    pickled_before_1(file)
    after: dict[str, int] = {}
    assert index.read_ids(file.parent, after.__setitem__) == summary
    assert after == before
    assert store.verify(sound, store.Depth.INDEX).is_sound
    assert sound_store.differences(sound_store.read(sound)[str(sound)], sound_store.expected(sound_root)) == []


@pytest.mark.parametrize("changes", [{"total_elements_added": 3}, {"label_to_id": {}}, {"id_to_label": None}])
def test_ids_of_an_older_chroma_must_agree(sound: Path, changes: dict[str, object]) -> None:
    pickled_before_1(folder(sound, "plain") / PICKLE, **changes)
    with pytest.raises(index.IndexTorn):
        index.read_ids(folder(sound, "plain"))


def test_ids_that_would_execute_something_are_refused(sound: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "executed",)

    for protocol in (2, 4, 5):
        (folder(sound, "plain") / PICKLE).write_bytes(pickle.dumps(Evil(), protocol=protocol))
        assert [each.kind for each in store.verify(sound).findings] == [store.FindingKind.INDEX_TORN]
    assert not (tmp_path / "executed").exists()


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


@pytest.mark.parametrize(
    ("stored", "length", "broken"),
    [
        (floats(3, 4), None, False),
        (floats(float("nan"), 4), None, True),
        (floats(float("-inf"), 4), None, True),
        (floats(0.6, 0.8), 5.0, False),
        (floats(0.6, 0.9), 5.0, True),
        (floats(0, 0), 0.0, False),
        (floats(0, 0), float("inf"), False),
        (floats(2, 0), 0.0, True),
    ],
)
def test_a_vector_can_be_wrong_by_itself(stored: bytes, length: float | None, broken: bool) -> None:
    assert is_broken(stored, length) is broken


def test_only_the_length_differs() -> None:
    assert only_length_differs(floats(3, 4), floats(0.6, 0.8))
    assert not only_length_differs(floats(3, 4.5), floats(0.6, 0.8))


def test_lengths_beyond_32_bits_are_those_of_hnswlib() -> None:
    huge = floats(3e38, 0, 1)
    assert compare(huge, floats(0, 0, 0), float("inf")) is Match.EQUAL
    assert compare(floats(0, 0, 0), floats(0, 0, 0), 0.0) is Match.EQUAL
