"""The restic repository at the target that holds the bases."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup.command import RCLONE, RESTIC, Ran, find, run
from backup.config import DirectoryTarget
from backup.errors import Busy, Damaged, NoBase, NoRepository, WrongKey
from backup.private import write_private
from backup.target import BASES, Target

_MISSING, _LOCKED, _WRONG_PASSWORD = 10, 11, 12
"""Exit codes of restic: no repository, locked by others, wrong password."""
_HALF_LOCK = "unlock --remove-all"
"""What restic advises when it cannot read a lock."""
_SNAPSHOT = re.compile(r"snapshot ([0-9a-f]{8,}) of ")
_MOST_CHARACTERS = 400
_LIMIT_S = 300.0
_LONG_LIMIT_S = 24 * 3_600.0
_DAMAGE = re.compile(
    r"ciphertext verification failed|invalid data returned|does not match|unexpected EOF|load <|hash mismatch"
    r"|repository contains errors|id .* not found in repository|invalid character|LoadRaw",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One in the repository."""

    id: str
    taken: str
    """When restic made it: ISO 8601."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did."""

    id: str
    bytes: int
    """Of all files, as they are."""
    added_bytes: int
    """By which the repository grew."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with it."""

    words: str
    packs: tuple[str, ...]
    """Files of data that are there, and not as they were written."""


class Repository:
    """Its commands. One process at a time changes it: see `turn`."""

    def __init__(self, target: Target, cache: Path) -> None:
        """Args: cache: a folder for restic's copy of the repository's indexes."""
        self._target = target
        self._options: tuple[str, ...] = ()
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if isinstance(target.settings, DirectoryTarget):
            # restic's own way to a directory gives no file its name before it is whole; rclone's does.
            self.location = str(Path(target.settings.path) / BASES)
        else:
            self.location = f"rclone:{target.plain(BASES)}"
            arguments = "serve restic --stdio --contimeout 10s --timeout 60s --low-level-retries 3"
            self._options = (
                *("-o", f"rclone.program={find(RCLONE)}", "-o", f"rclone.args={arguments}"),
                *("-o", "rclone.connections=2", "-o", "rclone.timeout=60s"),
            )
        self._variables = {
            **target.variables,
            "RESTIC_REPOSITORY": self.location,
            "RESTIC_PASSWORD_FILE": str(write_private(target.folder / "restic-password", target.keys.restic_password)),
            "RESTIC_CACHE_DIR": str(cache),
            "RESTIC_PROGRESS_FPS": "0.1",
            "TMPDIR": str(cache),  # /tmp may be memory, and a pack takes 16 MiB
        }

    def make(self) -> None:
        """Make it."""
        self._done(self._run("init"))

    def save(self, folder: Path, host: str, tags: tuple[str, ...]) -> Saved:
        """Save what is in a folder, without the folder itself.

        Raises:
            NoRepository: it has to be made first.
            Damaged: the repository is; `mend` may help.
        """
        tagged = [word for tag in tags for word in ("--tag", tag)]
        # --force: what was copied anew has no older version to compare with, and a damaged snapshot must not stop this.
        ran = self._alone(
            "backup", "--json", "--no-scan", "--force", "--host", host, *tagged, ".", folder=folder, long=True
        )
        said = next(each for each in reversed(_objects(ran.text)) if each.get("message_type") == "summary")
        return Saved(str(said["snapshot_id"]), int(said["total_bytes_processed"]), int(said["data_added_packed"]))

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All, oldest first.

        Raises:
            NoRepository: there is none at all.
        """
        ran = self._run("snapshots", "--json", "--no-lock")
        self._done(ran)
        found = [Snapshot(str(each["id"]), str(each["time"])) for each in json.loads(ran.text or "[]") or []]
        return tuple(sorted(found, key=lambda snapshot: snapshot.taken))

    def read(self, snapshot: str, path: str) -> bytes:
        """One file of a snapshot.

        Raises:
            NoBase: there is no such snapshot.
        """
        ran = self._run("dump", "--no-lock", snapshot, f"/{path}")
        if ran.code != 0 and "no matching ID found" in ran.tail:
            raise NoBase(f"there is no base {snapshot} at {self._target.words}.")
        self._done(ran)
        return ran.stdout

    def restore(self, snapshot: str, folder: Path) -> None:
        """Write all of a snapshot into a folder, and compare what was written with what was read.

        Raises:
            NoBase: there is no such snapshot.
        """
        ran = self._run("restore", "--no-lock", "--verify", "--target", str(folder), snapshot, long=True)
        if ran.code != 0 and "no matching ID found" in ran.tail:
            raise NoBase(f"there is no base {snapshot} at {self._target.words}.")
        self._done(ran)

    def forget(self, snapshots: tuple[str, ...]) -> None:
        """Remove snapshots. Their data stays until `prune`."""
        self._alone("forget", *snapshots)

    def prune(self) -> None:
        """Remove data that no snapshot needs."""
        self._alone("prune", "--max-unused", "10%", long=True)

    def check(self, share: str) -> Damage | None:
        """What is wrong with it.

        Args:
            share: of the data that is read back, as restic takes it: `2/7`, `100%`.
        """
        ran = self._alone("check", "--json", f"--read-data-subset={share}", long=True, damaged=True)
        if ran.code == 0:
            return None
        said = [str(each["message"]) for each in _objects(ran.tail) if each.get("message_type") == "error"]
        told = next((each for each in _objects(ran.text) if each.get("message_type") == "summary"), {})
        headless = (" ".join(each.split()) for each in said if not each.rstrip().endswith(":"))
        words = next(filter(None, headless), _last(ran.tail))[:_MOST_CHARACTERS]
        return Damage(f"the bases at {self._target.words} are damaged: {words}", tuple(told.get("broken_packs") or ()))

    def mend(self) -> None:
        """Make the index anew from the data that is there: what is missing is then saved again with the next base."""
        self._alone("repair", "index", long=True)

    def take_out(self, packs: tuple[str, ...], folder: Path) -> None:
        """Take files of data out that are damaged. What can be read of them is kept in others.

        Args:
            packs: from `check`; those that are gone since are left out.
            folder: where restic writes each of them first, as it is.
        """
        there = [each for each in packs if self._target.entries(f"{BASES}/data/{each[:2]}/{each}", sealed=False)]
        if there:
            self._alone("repair", "packs", *there, folder=folder, long=True)

    def lacking(self) -> tuple[str, ...]:
        """Beginnings of the ids of snapshots that lack data."""
        found, snapshot = [], ""
        for line in self._alone("repair", "snapshots", "--dry-run", long=True).text.splitlines():
            if begins := _SNAPSHOT.match(line):
                snapshot = begins[1]
            elif line.startswith(("would save", "would delete", "would remove")) and snapshot not in found:
                found.append(snapshot)
        return tuple(found)

    def _alone(
        self, verb: str, *arguments: str, folder: Path | None = None, long: bool = False, damaged: bool = False
    ) -> Ran:
        """Run a command that takes a lock. Locks of dead processes, or half an hour old, are removed if they bar it.

        So are all when one was half written: who changes a repository has its turn, and readers take no locks.

        Args:
            verb: of restic.
            arguments: more.
            folder: where it runs.
            long: whether it may take hours.
            damaged: whether it may tell of damage.
        """
        ran = self._run(verb, *arguments, folder=folder, long=long)
        if ran.code == _LOCKED:
            self._done(self._run("unlock"))
            ran = self._run(verb, *arguments, folder=folder, long=long)
        elif _HALF_LOCK in ran.tail:
            self._done(self._run("unlock", "--remove-all"))
            ran = self._run(verb, *arguments, folder=folder, long=long)
        if not (damaged and self._tells_damage(ran)):
            self._done(ran)
        return ran

    def _tells_damage(self, ran: Ran) -> bool:
        return ran.code == 1 and bool(_DAMAGE.search(ran.tail)) and not self._target.is_known(ran.tail)

    def _run(self, verb: str, *arguments: str, folder: Path | None = None, long: bool = False) -> Ran:
        return run(
            (RESTIC, *self._options, verb, *arguments),
            variables=self._variables,
            limit_s=_LONG_LIMIT_S if long else _LIMIT_S,
            folder=folder,
            gently=True,
        )

    def _done(self, ran: Ran) -> None:
        if ran.code == 0:
            return
        if ran.code == _MISSING:
            raise NoRepository(f"there are no bases at {self._target.words}.")
        if ran.code == _WRONG_PASSWORD:
            raise WrongKey(
                f"the bases at {self._target.words} were made with another key. Give the key on the recovery sheet "
                "of the stack that made them, or another target."
            )
        if ran.code == _LOCKED:
            raise Busy(f"the bases at {self._target.words} are locked by another process: {_last(ran.tail)}")
        if self._tells_damage(ran):
            raise Damaged(f"the bases at {self._target.words} are damaged: {_last(ran.tail)}")
        raise self._target.explained(ran.tail)


def _objects(text: str) -> list[dict[str, Any]]:
    """Its lines that are JSON; one whose beginning was cut off is not."""
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [each for each in found if isinstance(each, dict)]


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1].strip()[:_MOST_CHARACTERS] if lines else ""
