"""Each damage that files of a store can suffer: seen, named, mended, and then the real Chroma gives every row right."""

import os
import shutil
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from store.index.links import upper_links

import store
from store import Depth, FindingKind, Remedy, index
from tests.unit.store import damage, sound_store
from tests.unit.store.damage import DATA, PICKLE, folder

Kind = FindingKind


@dataclass(frozen=True)
class Case:
    """One damage to the store, the depth which sees it, and what it is called."""

    spoil: Callable[[Path], object]
    depth: Depth
    kinds: frozenset[FindingKind]
    remedy: Remedy = Remedy.REBUILD
    names: frozenset[str] = frozenset({"plain"})
    trusted: bool = False


def case(spoil: Callable[[Path], object], depth: Depth, *kinds: FindingKind, **more: object) -> Case:
    return Case(spoil, depth, frozenset(kinds), **more)  # type: ignore[arg-type]


def truncate_to_nothing(path: Path) -> None:
    os.truncate(folder(path, "plain") / PICKLE, 0)


def grow_links(path: Path) -> None:
    with (folder(path, "plain") / "link_lists.bin").open("ab") as file:
        file.write(bytes(4096))


def garble_ids(path: Path) -> None:
    file = folder(path, "plain") / PICKLE
    damage.overwrite(file, file.stat().st_size // 3, os.urandom(200))


def exchange_two_ids(path: Path) -> None:
    """The file stays readable, but two ids of the one map have each other's name."""
    file = folder(path, "plain") / PICKLE
    content = file.read_bytes()
    at = content.index(b"row-31")
    damage.overwrite(file, at, b"row-32")


def wild_link(path: Path) -> None:
    damage.overwrite(folder(path, "plain") / DATA, damage.element(path, "plain", 5) + 4, struct.pack("<I", 10**6))


def unlink(path: Path) -> None:
    position = damage.position_of(path, "plain", "row-30")
    damage.overwrite(folder(path, "plain") / DATA, damage.element(path, "plain", position), b"\0\0")


def double_label(path: Path) -> None:
    header = index.read_header(folder(path, "plain"))
    label = header.element_bytes - 8
    damage.overwrite(folder(path, "plain") / DATA, damage.element(path, "plain", 5) + label, struct.pack("<Q", 1))


def wild_upper_link(path: Path) -> None:
    """A link of an upper level leads to an element which is on the lowest alone: hnswlib would crash on it."""
    own = folder(path, "plain")
    header = index.read_header(own)
    low = list(index.read_levels(own, header).of).index(0)
    linked = next(position for position, raw in upper_links(own, header) if raw and raw[0])
    before = sum(4 + len(raw) for position, raw in upper_links(own, header) if position < linked)
    damage.overwrite(own / "link_lists.bin", before + 4 + 4, struct.pack("<I", low))


def not_a_number(path: Path) -> None:
    offset = damage.vector_offset(path, "plain", damage.unsampled(path, "plain"))
    damage.overwrite(folder(path, "plain") / DATA, offset, struct.pack("<f", float("nan")))


def flip_index(name: str, mask: int = 0x10) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        offset = damage.vector_offset(path, name, damage.unsampled(path, name))
        damage.flip(folder(path, name) / DATA, offset + 2, mask)

    return flip


def flip_in_a_whole_save(path: Path) -> None:
    flip_index("plain")(path)
    os.utime(folder(path, "plain") / PICKLE)


def flip_length(path: Path) -> None:
    position = damage.position_of(path, "angles", damage.unsampled(path, "angles"))
    damage.flip(folder(path, "angles") / "length.bin", 4 * position + 2, 0x20)


def stale_canary(path: Path) -> None:
    """Chroma does not save an update of the only element: the number of a later save makes that visible."""
    [(newest,)] = damage.ask(
        path, "SELECT max(seq_id) FROM embeddings_queue WHERE topic LIKE ?", [damage.topic(path, "canary")]
    )
    number = [newest, damage.segment(path, "canary")]
    damage.sql(path, "UPDATE max_seq_id SET seq_id = ? WHERE segment_id = ?", number)


def stale_vector(path: Path) -> None:
    """The vector of an earlier write of the same id, as a save that was cut short leaves it."""
    id_ = damage.unsampled(path, "plain", range(10))
    rows = damage.ask(
        path,
        "SELECT vector FROM embeddings_queue WHERE topic LIKE ? AND id = ? AND operation = 2 ORDER BY seq_id",
        [damage.topic(path, "plain"), id_],
    )
    damage.overwrite(folder(path, "plain") / DATA, damage.vector_offset(path, "plain", id_), bytes(rows[0][0]))  # type: ignore[call-overload]


def claim_rows_to_come(path: Path) -> None:
    damage.sql(path, "UPDATE max_seq_id SET seq_id = 99999 WHERE segment_id = ?", [damage.segment(path, "plain")])


def skip_the_tail(path: Path) -> None:
    """An older index under a newer number: Chroma would answer without the rows in between."""
    [(newest,)] = damage.ask(
        path, "SELECT max(seq_id) FROM embeddings_queue WHERE topic LIKE ?", [damage.topic(path, "plain")]
    )
    number = [newest, damage.segment(path, "plain")]
    damage.sql(path, "UPDATE max_seq_id SET seq_id = ? WHERE segment_id = ?", number)


def cut_save_short(path: Path) -> None:
    """Elements of a save were written, and its ids were not: nothing but the times shows it."""
    own = folder(path, "plain")
    times = (own / PICKLE).stat()
    os.utime(own / DATA, ns=(times.st_atime_ns, times.st_mtime_ns + 10**9))


QUICK, INDEX, ALL = Depth.QUICK, Depth.INDEX, Depth.EMBEDDINGS
TWINS = frozenset({"twin-a", "twin-b"})
CASES = {
    "folder gone": case(lambda path: shutil.rmtree(folder(path, "plain")), QUICK, Kind.INDEX_MISSING),
    "pickle gone": case(lambda path: (folder(path, "plain") / PICKLE).unlink(), QUICK, Kind.INDEX_MISSING),
    "pickle empty": case(truncate_to_nothing, QUICK, Kind.INDEX_TORN),
    "pickle truncated": case(lambda path: damage.cut(folder(path, "plain") / PICKLE), QUICK, Kind.INDEX_TORN),
    "pickle garbled": case(garble_ids, QUICK, Kind.INDEX_TORN),
    "pickle contradicts itself": case(exchange_two_ids, QUICK, Kind.INDEX_TORN),
    "header gone": case(lambda path: (folder(path, "plain") / "header.bin").unlink(), QUICK, Kind.INDEX_MISSING),
    "header cut": case(lambda path: damage.cut(folder(path, "plain") / "header.bin"), QUICK, Kind.INDEX_TORN),
    "header garbage": case(
        lambda path: damage.overwrite(folder(path, "plain") / "header.bin", 0, os.urandom(100)), QUICK, Kind.INDEX_TORN
    ),
    "data cut": case(lambda path: damage.cut(folder(path, "plain") / DATA), QUICK, Kind.INDEX_TORN),
    "lengths cut": case(
        lambda path: damage.cut(folder(path, "angles") / "length.bin"),
        QUICK, Kind.INDEX_TORN, names=frozenset({"angles"}),
    ),
    "links cut": case(lambda path: damage.cut(folder(path, "plain") / "link_lists.bin"), QUICK, Kind.INDEX_TORN),
    "links run away": case(grow_links, QUICK, Kind.INDEX_TORN),
    "wild link": case(wild_link, INDEX, Kind.INDEX_TORN),
    "element unlinked": case(unlink, INDEX, Kind.INDEX_WRONG),
    "label twice": case(double_label, INDEX, Kind.INDEX_TORN),
    "wild link on an upper level": case(wild_upper_link, INDEX, Kind.INDEX_TORN),
    "vector not a number": case(not_a_number, ALL, Kind.INDEX_WRONG),
    "flipped bit in a vector of length 1": case(
        flip_index("angles", 0x80), ALL, Kind.INDEX_WRONG, names=frozenset({"angles"})
    ),
    "flipped bit in a length": case(flip_length, ALL, Kind.INDEX_WRONG, names=frozenset({"angles"})),
    "flipped bit after an unclean end": case(flip_in_a_whole_save, ALL, Kind.INDEX_WRONG, trusted=True),
    "save cut short after an unclean end": case(cut_save_short, INDEX, Kind.INDEX_TORN, trusted=True),
    "update of the only record": case(
        stale_canary, QUICK, Kind.INDEX_WRONG, names=frozenset({"cortex_internal/canary"})
    ),
    "vector of an earlier write": case(stale_vector, ALL, Kind.INDEX_WRONG),
    "index of other dimensions": case(
        lambda path: damage.swap(path, "plain", "inner"), QUICK, Kind.INDEX_TORN, names=frozenset({"plain", "inner"})
    ),
    "folders of equal ids swapped": case(
        lambda path: damage.swap(path, "twin-a", "twin-b"), QUICK, Kind.INDEX_WRONG, names=TWINS
    ),
    "number beyond the log": case(claim_rows_to_come, QUICK, Kind.INDEX_WRONG),
    "number newer than the index": case(skip_the_tail, QUICK, Kind.INDEX_BEHIND),
    "repair or first save interrupted": case(
        lambda path: damage.forget_row(path, "plain"), QUICK, Kind.SAVE_LEFTOVER
    ),
    "orphan": case(damage.orphan, QUICK, Kind.ORPHAN_FOLDER, remedy=Remedy.REMOVE, names=frozenset({""})),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    found: store.Verification
    quick: store.Verification
    """What the least depth says, where the case needs a greater one."""
    done: store.Repair
    after: store.Verification
    differences: list[str]
    rebuilt: store.Verification
    """After Chroma has used the store."""


@pytest.fixture(scope="module")
def outcomes(sound_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All cases, each in a store of its own; Chroma reads them all in one process, since its start is what costs."""
    root = tmp_path_factory.mktemp("damaged")
    expected = sound_store.expected(sound_root)
    paths = {}
    steps = {}
    for number, (name, each) in enumerate(CASES.items()):
        path = paths[name] = Path(shutil.copytree(sound_root / "store", root / str(number)))
        since = time.time_ns() - 10**9 if each.trusted else None
        if each.trusted:  # as if it had been saved during the run; copies have the times of the first store
            os.utime(folder(path, "plain") / PICKLE)
        each.spoil(path)
        quick = store.verify(path)
        found = store.verify(path, each.depth, trust_log_since_ns=since)
        done = store.repair(path, depth=each.depth, trust_log_since_ns=since)
        steps[name] = (found, quick, done, store.verify(path, Depth.EMBEDDINGS))
    contents = sound_store.read(*paths.values())
    return {
        name: Outcome(
            *steps[name],
            differences=sound_store.differences(contents[str(path)], expected),
            rebuilt=store.verify(path, Depth.EMBEDDINGS),
        )
        for name, path in paths.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_damage_is_seen_and_named(outcomes: dict[str, Outcome], name: str) -> None:
    expected, found = CASES[name], outcomes[name].found
    assert {finding.kind for finding in found.findings} == expected.kinds
    assert {finding.remedy for finding in found.findings} == {expected.remedy}
    assert {finding.collection_name for finding in found.findings} == expected.names
    assert all(finding.detail for finding in found.findings)
    if expected.depth is not Depth.QUICK:
        assert outcomes[name].quick.is_sound, "the case needs no such depth"


@pytest.mark.parametrize("name", CASES)
def test_damage_is_mended_and_every_row_is_right(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert outcome.done.is_whole
    assert set(outcome.done.rebuilt) == CASES[name].names - {""}
    assert bool(outcome.done.removed) == (CASES[name].remedy is Remedy.REMOVE)
    assert outcome.after.findings == ()
    assert outcome.differences == []
    assert [each for each in outcome.rebuilt.findings if "linked to no other" not in each.detail] == []  # see graph.py
    if outcome.done.rebuilt:
        assert outcome.done.rebuild_rows > 0
        assert outcome.done.rebuild_estimate_s > 0
