"""The demo itself: index what is missing, then ask."""

from __future__ import annotations

import time
from itertools import islice

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ops.demo.client import Api
from ops.demo.texts import Text, collect

COLLECTION = "demo"
DEFAULT_TEXTS = 20_000
BATCH = 200
ANSWERS = 3
PREVIEW_CHARACTERS = 76


def run(api: Api, count: int, console: Console) -> None:
    """Index texts and show five searches. A second run finds everything there and only searches.

    Args:
        api: The API, with a token that may write.
        count: How many texts.
        console: Where progress and answers go.

    Raises:
        StackError: The API refused something, or does not answer.
    """
    source = collect(count)
    console.print(f"{len(source.texts):,} texts: {source.name}")
    api.ensure_collection(COLLECTION)
    started = time.monotonic()
    written = _index(api, source.texts, console)
    elapsed_s = time.monotonic() - started
    rate = f", {written / elapsed_s:,.0f} a second" if written else ""
    console.print(f"{written:,} written in {elapsed_s:.1f} s{rate}; the collection holds {api.count(COLLECTION):,}\n")
    _search(api, source.questions, console)


def _index(api: Api, texts: tuple[Text, ...], console: Console) -> int:
    written = 0
    remaining = iter(texts)
    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("indexing", total=len(texts), rate="")
        while batch := list(islice(remaining, BATCH)):
            stored = api.digests(COLLECTION, [text.id for text in batch])
            missing = [text for text in batch if stored.get(text.id) != text.metadata["digest"]]
            if missing:
                api.upsert(COLLECTION, missing)
            written += len(missing)
            speed = progress.tasks[task].speed
            progress.update(task, advance=len(batch), rate=f"{speed:,.0f}/s" if speed else "")
    return written


def _search(api: Api, questions: tuple[str, ...], console: Console) -> None:
    for question in questions:
        started = time.monotonic()
        (matches,) = api.query(COLLECTION, [question], ANSWERS)
        console.print(f"[bold]{question}[/bold]  ({(time.monotonic() - started) * 1000:.0f} ms)")
        for match in matches:
            first = " ".join((match["text"] or "").split())[:PREVIEW_CHARACTERS]
            console.print(
                f"  {match['distance']:.3f}  {match['id']:<28} {first}", markup=False, no_wrap=True, overflow="ellipsis"
            )
        console.print()
