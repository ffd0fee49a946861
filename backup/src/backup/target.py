"""The place where backups go, as rclone's configuration: `target:` for the place, `sealed:` encrypted within it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup.command import RCLONE, Ran, environment, run
from backup.config import AnyTarget, Config, DirectoryTarget, S3Target
from backup.errors import BackupError, Damaged, TargetFull, TargetRefused, TargetUnreachable, ToolFailed
from backup.keys import Keys, derive
from backup.private import private_folder, write_private

BASES, SEALED = "bases", "sealed"
_QUICK = ("--contimeout", "5s", "--timeout", "15s", "--retries", "1", "--low-level-retries", "2")
_STEADY = ("--contimeout", "10s", "--timeout", "60s", "--retries", "2", "--low-level-retries", "3")
_QUICK_LIMIT_S = 30.0
_STEADY_LIMIT_S = 300.0
_LONG_LIMIT_S = 24 * 3_600.0
"""For as much as a whole store; a connection that stands still ends sooner."""
_NOT_FOUND_CODES = frozenset({3, 4})
"""Exit codes of rclone: the directory, the file does not exist."""
_SAID_CHARACTERS = 200
"""Of a tool's last line: what matters stands at its end."""
# What rclone, its libraries and servers say, in the order in which it counts.
_MEANINGS: tuple[tuple[str, type[BackupError], str], ...] = (
    (
        r"failed to authenticate decrypted block|not an encrypted file|too short to be encrypted"
        r"|truncated block header",
        Damaged,
        "holds a file that is not what was written there",
    ),
    (
        r"no space left|disk quota|QuotaExceeded|InsufficientStorage|EDQUOT|StorageFull",
        TargetFull,
        "has no room left. Make room there or lower `keep`; writes to the store go on",
    ),
    (
        r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|Forbidden|StatusCode: 40[13]|unable to authenticate"
        r"|permission denied|ExpiredToken|InvalidToken",
        TargetRefused,
        "refuses: check its credentials and what they may do there",
    ),
    (r"knownhosts|host key|x509|certificate", TargetRefused, "is not who it should be: check its host key or `ca`"),
    (
        r"connection refused|no such host|i/o timeout|deadline exceeded|network is unreachable|no route to host|EOF"
        r"|connection reset|couldn't connect|did not end within|timed out|Service Unavailable|input/output error"
        r"|not a directory|directory not found|NoSuchBucket|stale NFS|transport endpoint",
        TargetUnreachable,
        "does not answer, or is not there; it is tried again",
    ),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file at the target."""

    path: str
    """Below the folder that was listed."""
    bytes: int
    modified: str
    """ISO 8601."""


class Target:
    """Reads and writes there, by rclone: encrypted files, and with `sealed=False` those that are as they are."""

    def __init__(self, settings: AnyTarget, keys: Keys, folder: Path) -> None:
        """Args: settings: the place. keys: of what is encrypted there. folder: private, for files with secrets."""
        self.settings = settings
        self.keys = keys
        self.folder = folder
        self._file = write_private(folder / "rclone.conf", _configuration(settings, keys, folder))
        ca = settings.ca if isinstance(settings, S3Target) else ""
        self._ca = write_private(folder / "ca.pem", ca) if ca else None

    @property
    def variables(self) -> dict[str, str]:
        """Environment in which rclone knows the remotes."""
        trusted = {"RCLONE_CA_CERT": str(self._ca)} if self._ca is not None else {}
        return environment(RCLONE_CONFIG=str(self._file), **trusted)

    @property
    def words(self) -> str:
        """The place for people, without secrets."""
        settings = self.settings
        if isinstance(settings, DirectoryTarget):
            return f"the directory {settings.path}"
        if isinstance(settings, S3Target):
            return f"the bucket {'/'.join(filter(None, (settings.bucket, settings.prefix)))} at {settings.endpoint}"
        return f"{settings.path} on {settings.host}:{settings.port}"

    def plain(self, path: str) -> str:
        """How rclone names a path that is stored as it is."""
        return f"target:{_join(_root(self.settings), path)}"

    def check(self) -> None:
        """Whether it answers and lets us in.

        Raises:
            TargetUnreachable, TargetRefused: it does not.
        """
        if isinstance(self.settings, DirectoryTarget) and not Path(self.settings.path).is_dir():
            raise TargetUnreachable(f"{self.words} does not exist: mount the volume for backups there.")
        listed = self._listed(self.plain(""))
        # A folder is made by the first backup, a bucket is not.
        if listed.code in _NOT_FOUND_CODES and isinstance(self.settings, S3Target):
            listed = self._listed(f"target:{self.settings.bucket}")
            if listed.code in _NOT_FOUND_CODES:
                raise TargetUnreachable(f"{self.words}: there is no such bucket. Make it, or correct its name.")
        elif listed.code not in {0, *_NOT_FOUND_CODES}:
            raise self.explained(listed.tail)

    def make(self, sealed_path: str) -> None:
        """Make an encrypted folder where it is missing."""
        self._done(self._rclone("mkdir", f"sealed:{sealed_path}"))

    def write(self, sealed_path: str, content: bytes) -> None:
        """Write an encrypted file at once."""
        self._done(self._rclone("rcat", f"sealed:{sealed_path}", given=content))

    def read(self, path: str, *, first_bytes: int | None = None, sealed: bool = True) -> bytes | None:
        """A file, or its beginning; None when there is none.

        Raises:
            BackupError: it cannot be read.
        """
        head = () if first_bytes is None else ("--count", str(first_bytes))
        ran = self._rclone("cat", *head, self._named(path, sealed=sealed))
        if ran.code in _NOT_FOUND_CODES or (ran.code != 0 and "object not found" in ran.tail):
            return None
        self._done(ran)
        return ran.stdout

    def entries(self, path: str, *, recursive: bool = False, sealed: bool = True) -> tuple[Entry, ...]:
        """The files in a folder; none when it is missing."""
        options = ("--files-only", "--no-mimetype") + (("--recursive", "--fast-list") if recursive else ())
        ran = self._rclone("lsjson", *options, self._named(path, sealed=sealed))
        if ran.code in _NOT_FOUND_CODES:
            return ()
        self._done(ran)
        return tuple(Entry(each["Path"], int(each["Size"]), each["ModTime"]) for each in _list(ran.text))

    def folders(self, sealed_path: str) -> tuple[str, ...]:
        """Names of the encrypted folders in a folder; none when it is missing."""
        ran = self._rclone("lsjson", "--dirs-only", "--no-mimetype", "--no-modtime", f"sealed:{sealed_path}")
        if ran.code in _NOT_FOUND_CODES:
            return ()
        self._done(ran)
        return tuple(sorted(each["Path"] for each in _list(ran.text)))

    def remove(self, path: str, *, sealed: bool = True) -> None:
        """Remove a file; one that is not there is no error."""
        ran = self._rclone("deletefile", self._named(path, sealed=sealed))
        if ran.code not in _NOT_FOUND_CODES and "not found" not in ran.tail:
            self._done(ran)

    def remove_folder(self, sealed_path: str) -> None:
        """Remove an encrypted folder that is there, with all in it."""
        self._done(self._rclone("purge", f"sealed:{sealed_path}"))

    def fetch(self, sealed_path: str, folder: Path) -> None:
        """Copy the encrypted files of a folder that is there into a local one."""
        self._done(self._rclone("copyto", f"sealed:{sealed_path}", str(folder)))

    def fetch_some(self, sealed_path: str, names: Sequence[str], folder: Path) -> None:
        """Copy some of the encrypted files below a folder into a local one, under the same names."""
        listed = write_private(self.folder / "wanted", "".join(f"{name}\n" for name in names))
        options = ("--files-from-raw", str(listed), "--no-traverse")
        self._done(self._rclone("copy", *options, f"sealed:{sealed_path}", str(folder), long=True))

    @staticmethod
    def is_known(said: str) -> bool:
        """Whether what a tool said is about the place itself."""
        return any(re.search(pattern, said, re.IGNORECASE) for pattern, _, _ in _MEANINGS)

    def explained(self, said: str) -> BackupError:
        """What a tool said about the target, as an error that tells what to do."""
        for pattern, kind, meaning in _MEANINGS:
            if re.search(pattern, said, re.IGNORECASE):
                return kind(f"{self.words} {meaning} ({_last_line(said)}).")
        return ToolFailed(f"{self.words} cannot be used: {_last_line(said)}")

    def _named(self, path: str, *, sealed: bool) -> str:
        return f"sealed:{path}" if sealed else self.plain(path)

    def _listed(self, place: str) -> Ran:
        return self._rclone("lsjson", "--max-depth", "1", "--dirs-only", place, quick=True)

    def _rclone(self, verb: str, *arguments: str, given: bytes = b"", quick: bool = False, long: bool = False) -> Ran:
        options: Sequence[str] = _QUICK if quick else _STEADY
        limit_s = _LONG_LIMIT_S if long else _QUICK_LIMIT_S if quick else _STEADY_LIMIT_S
        try:
            return run(
                (RCLONE, verb, *options, *arguments),
                variables=self.variables,
                limit_s=limit_s,
                given=given,
                gently=True,
            )
        except ToolFailed as error:
            raise self.explained(str(error)) from error

    def _done(self, ran: Ran) -> None:
        if ran.code != 0:
            raise self.explained(ran.tail)


@contextlib.contextmanager
def opened(config: Config) -> Iterator[Target]:
    """The configured target, with its secrets in files of a private folder until the end of the block."""
    with private_folder() as folder:
        yield Target(config.target, derive(config.key), folder)


def _configuration(settings: AnyTarget, keys: Keys, folder: Path) -> str:
    sealed = {
        "type": "crypt",
        "remote": f"target:{_join(_root(settings), SEALED)}",
        "password": _obscured(keys.crypt_password),
        "password2": _obscured(keys.crypt_salt),
    }
    sections = {"target": _remote(settings, folder), "sealed": sealed}
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items())
        for name, section in sections.items()
    )


def _remote(settings: AnyTarget, folder: Path) -> dict[str, str]:
    if isinstance(settings, DirectoryTarget):
        return {"type": "local"}
    if isinstance(settings, S3Target):
        return {
            "type": "s3",
            "provider": "Other",
            "endpoint": settings.endpoint,
            "region": settings.region,
            "force_path_style": str(settings.path_style).lower(),
            "access_key_id": settings.access_key_id,
            "secret_access_key": settings.secret_access_key,
            # The bucket is somebody else's to make, and its credentials may be allowed nothing but objects.
            "no_check_bucket": "true",
        }
    return {
        "type": "sftp",
        "host": settings.host,
        "port": str(settings.port),
        "user": settings.user,
        "key_file": str(write_private(folder / "target-key", settings.private_key.rstrip("\n") + "\n")),
        "known_hosts_file": str(
            write_private(folder / "known-hosts", f"{_known_name(settings.host, settings.port)} {settings.host_key}\n")
        ),
        "shell_type": "none",
        "disable_hashcheck": "true",
    }


def _obscured(password: str) -> str:
    """As rclone keeps passwords in its configuration: scrambled, not encrypted."""
    ran = run((RCLONE, "obscure", "-"), variables=environment(), limit_s=_QUICK_LIMIT_S, given=password.encode())
    if ran.code != 0:
        raise ToolFailed(f"rclone obscure failed: {_last_line(ran.tail)}")
    return ran.text.strip()


def _root(settings: AnyTarget) -> str:
    if isinstance(settings, S3Target):
        return _join(settings.bucket, settings.prefix)
    return settings.path


def _join(*parts: str) -> str:
    kept = [part for part in parts if part]
    return "/".join([*(part.rstrip("/") for part in kept[:-1]), *kept[-1:]])


def _known_name(host: str, port: int) -> str:
    return host if port == 22 else f"[{host}]:{port}"


def _list(text: str) -> list[dict[str, Any]]:
    found = json.loads(text or "[]")
    return found if isinstance(found, list) else []


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "", lines[-1]) if lines else "it says nothing"
    return last if len(last) <= _SAID_CHARACTERS else f"…{last[-_SAID_CHARACTERS:]}"
