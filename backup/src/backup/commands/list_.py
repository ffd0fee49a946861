"""`python -m backup list`: which bases there are, and what the archive reaches back to."""

from __future__ import annotations

import argparse
from typing import Any

from backup import bases, lineage, records
from backup.commands.command import Command, Setting, add_json, print_result, setting
from backup.words import moment, size


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        given.target.check()
        found = bases.find_all(given.target, bases.repository(given.target, given.scratch))
        drills = records.read_all(given.target, records.DRILLS)
        result = {
            "bases": [_entry(base) for base in found],
            "lineages": list(records.read_all(given.target, records.LINEAGES).values()),
            "drill": drills[max(drills)] if drills else None,
        }
        print_result(chosen, result, _text(given, result))
    return 0


def _entry(base: bases.Base) -> dict[str, Any]:
    manifest = base.manifest
    if manifest is None:
        return {"id": base.id, "taken_s": base.taken_s, "readable": False}
    return {
        "id": base.id,
        "taken_s": base.taken_s,
        "readable": True,
        "records": manifest.records,
        "bytes": manifest.bytes,
        "added_bytes": manifest.added_bytes,
        "chroma_version": manifest.chroma_version,
        "package_version": manifest.package_version,
        "verified_s": manifest.verified_s,
        "verified_by": manifest.verified_by,
        "pinned": manifest.pinned,
    }


def _text(given: Setting, result: dict[str, Any]) -> str:
    lines = [f"{len(result['bases'])} bases at {given.target.words}"]
    for base in result["bases"]:
        if not base["readable"]:
            lines.append(f"  {base['id'][:8]}  {moment(base['taken_s'])}  its manifest cannot be read")
            continue
        marks = [f"verified {moment(base['verified_s'])}"] if base["verified_s"] else []
        marks += [f"pinned: {base['pinned']}"] if base["pinned"] else []
        lines.append(
            f"  {base['id'][:8]}  {moment(base['taken_s'])}  {base['records']:,} records  {size(base['bytes'])}"
            + "".join(f"  {mark}" for mark in marks)
        )
    present = lineage.read(given.config.store)
    lines.append(f"{len(result['lineages'])} lineages of the archive")
    for each in result["lineages"]:
        state = "can be restored" if each.get("whole_s") else "never became whole"
        here = ", the present one" if present is not None and present.id == each.get("id") else ""
        lines.append(f"  {each.get('id')}  begun {moment(each.get('begun_s'))}  {state}{here}")
    return "\n".join(lines)


COMMAND = Command(
    name="list",
    summary="show the bases and the lineages of the archive",
    add_arguments=_add_arguments,
    run=_run,
)
