"""A running Chroma server, by HTTP: every collection of a database into the running stack, and compared afterwards."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from ops import loading
from ops.alone import endings_are_heard
from ops.errors import StackError
from ops.importing.bars import Bars
from ops.importing.chroma_http import DEFAULT_DATABASE, DEFAULT_TENANT, LIMIT_S, Chroma
from ops.importing.cortex_http import Cortex
from ops.importing.made import Made
from ops.importing.outcome import Outcome
from ops.importing.records import Collection, Likeness, Record, likeness, page_rows, pages
from ops.importing.sources import Server
from ops.stack import Stack
from tools.locations import locations

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Access:
    """How to get into the server.

    Attributes:
        token: What it wants to be shown; empty if nothing.
        tenant: Of the database.
        database: Which is imported.
        authority: File with the certificates to trust; None for those that this machine trusts.
    """

    token: str = ""
    tenant: str = DEFAULT_TENANT
    database: str = DEFAULT_DATABASE
    authority: Path | None = None


class Target(Protocol):
    """Where collections go: Chroma's own interface, or /v1."""

    def collections(self) -> list[Collection]:
        """All that there are."""

    def problems(self, collection: Collection) -> Iterable[str]:
        """Why one cannot be taken."""

    def notes(self, collection: Collection) -> Iterable[str]:
        """What of one is lost, and does not matter to its data."""

    def make(self, collection: Collection) -> Collection:
        """Make one like it."""

    def remove(self, collection: Collection) -> None:
        """Remove it."""

    def count(self, collection: Collection) -> int:
        """How many records it has."""

    def get(self, collection: Collection, ids: Sequence[str]) -> dict[str, Record]:
        """Records by id."""

    def write(self, collection: Collection, records: Sequence[Record]) -> None:
        """Upsert records."""


def run(stack: Stack, server: Server, access: Access, bars: Bars) -> Outcome:
    """Import it. The stack serves on; the server is only read.

    Args:
        stack: The stack, up.
        server: What to import.
        access: How to get in.
        bars: Shows how far it is.

    Raises:
        StackError: It cannot be imported: nothing was written, or what was written is removed.
    """
    file = locations(stack.environment).state / "import" / f"{stack.name}.json"
    with loading.client(stack) as ours, _client(server, access) as theirs, endings_are_heard():
        target: Target = Chroma(ours) if _has_native(ours) else Cortex(ours)
        return transfer(Chroma(theirs, access.tenant, access.database), target, Made(file), bars, name=str(server))


def transfer(source: Chroma, target: Target, made: Made, bars: Bars, *, name: str) -> Outcome:
    """Every collection of the source into the target.

    Args:
        source: The server.
        target: The stack.
        made: What an import has made, or a killed one has left.
        bars: Shows how far it is.
        name: Of the source, for people.

    Raises:
        StackError: As `run`.
    """
    started_s = time.monotonic()
    source.check()
    wanted = source.collections()
    bars.say(f"{name} has {len(wanted)} collections")
    _remove_debris(target, made, bars)
    _refuse(wanted, target)
    transfer = _Transfer(source, target, made, bars)
    try:
        for each in wanted:
            transfer.copy(each)
        rounded = sum(transfer.compare(each) for each in wanted)
    except BaseException:
        transfer.take_back()
        raise
    made.clear()
    records = sum(len(ids) for ids in transfer.ids.values())
    return Outcome(
        source=name,
        collections=len(wanted),
        records=records,
        seconds=time.monotonic() - started_s,
        compared=records,
        rounded=rounded,
        notes=tuple(note for each in wanted for note in target.notes(each)),
    )


def _client(server: Server, access: Access) -> httpx.Client:
    # One of them is what the server, or whoever guards it, knows.
    shown = {"x-chroma-token": access.token, "Authorization": f"Bearer {access.token}"} if access.token else {}
    try:
        trust = ssl.create_default_context(cafile=access.authority)
    except (OSError, ssl.SSLError) as error:
        raise StackError(f"{access.authority} holds no certificates to trust ({error})") from None
    return httpx.Client(base_url=server.url, headers=shown, verify=trust, timeout=LIMIT_S, trust_env=False)


def _has_native(ours: httpx.Client) -> bool:
    """Whether the stack has Chroma's own interface, which a single node answers with 501."""
    try:
        return ours.get("/api/v2/version").status_code != httpx.codes.NOT_IMPLEMENTED
    except httpx.HTTPError as error:
        raise StackError(f"the stack does not answer ({error}); `make status` tells how it is") from None


def _remove_debris(target: Target, made: Made, bars: Bars) -> None:
    """Remove what an import that was killed has made."""
    left = made.read()
    for each in target.collections() if left else ():
        # Without an id it was killed while it made it.
        if left.get(each.name) == each.id or (left.get(each.name) == "" and not target.count(each)):
            target.remove(each)
            bars.say(f"removed {each.name}, which an import before had begun and not finished")
    made.clear()


def _refuse(wanted: Sequence[Collection], target: Target) -> None:
    """Raise with everything that stands against it."""
    taken = {each.name for each in target.collections()}
    problems = [f"collection {each.name!r} is in the stack already" for each in wanted if each.name in taken]
    problems += [problem for each in wanted for problem in target.problems(each)]
    if problems:
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in problems[:_SHOWN])
        raise StackError(f"nothing was imported, for {len(problems)} reasons:{listed}{more}")


@dataclass(slots=True)
class _Transfer:
    """One import under way.

    Attributes:
        here: Collections of the stack that it has made, by their names.
        ids: Ids of all records of the source, by the names of their collections.
    """

    source: Chroma
    target: Target
    made: Made
    bars: Bars
    here: dict[str, Collection] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)

    def copy(self, each: Collection) -> None:
        """Make the collection and write its records."""
        self.made.add(each.name)
        here = self.here[each.name] = self.target.make(each)
        self.made.add(here.name, here.id)
        if here.space != each.space:
            raise StackError(f"{each.name} is of space {each.space}, and was made with {here.space}")
        ids = self.ids[each.name] = [id_ for page in self.source.ids(each) for id_ in page]
        for page in self._told(f"writing {each.name}", each, ids):
            self.target.write(here, list(self._read(each, page).values()))

    def compare(self, each: Collection) -> int:
        """Compare counts and every record; how many embeddings differ in their last places.

        Raises:
            StackError: Something else differs.
        """
        here, ids = self.here[each.name], self.ids[each.name]
        counts = {"source": self.source.count(each), "stack": self.target.count(here), "import": len(ids)}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{count:,} in the {where}" for where, count in counts.items())
            raise StackError(f"{each.name} has {told} records: was the source written meanwhile? Stop what writes it")
        rounded = 0
        for page in self._told(f"comparing {each.name}", each, ids):
            theirs, ours = self._read(each, page), self.target.get(here, page)
            for id_ in page:
                if id_ not in ours:
                    raise StackError(f"record {id_!r} of {each.name} did not arrive")
                like = likeness(ours[id_], theirs[id_], space=each.space)
                if like is Likeness.OTHER:
                    raise StackError(
                        f"record {id_!r} of {each.name} is not what the source has: was it written meanwhile?"
                    )
                rounded += like is Likeness.ROUNDED
        return rounded

    def take_back(self) -> None:
        """Remove what was made; what cannot be is noted, and removed by the next import."""
        for each in self.here.values():
            try:
                self.target.remove(each)
            except StackError as error:
                self.bars.say(f"{each.name} is left, and not whole; the next import removes it ({error})")
            else:
                self.made.drop(each.name)

    def _told(self, what: str, each: Collection, ids: Sequence[str]) -> Iterator[Sequence[str]]:
        """Pages of ids; the bar moves as they are done."""
        done = 0
        self.bars.tell(what, done, len(ids))
        for page in pages(ids, page_rows(each.dimensions)):
            yield page
            done += len(page)
            self.bars.tell(what, done, len(ids))

    def _read(self, each: Collection, ids: Sequence[str]) -> dict[str, Record]:
        """Records of the source, each of which must be there."""
        found = self.source.get(each, ids)
        if gone := [id_ for id_ in ids if id_ not in found]:
            raise StackError(f"record {gone[0]!r} of {each.name} vanished meanwhile: stop what writes the source")
        return found
