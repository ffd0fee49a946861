"""What can be imported: a directory, a Docker volume, a running server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ops.errors import StackError

VOLUME = "volume:"
_SCHEMES = {"http", "https"}


@dataclass(frozen=True, slots=True)
class Directory:
    """Of this host, with `chroma.sqlite3` in it."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Volume:
    """Of the store's Docker host."""

    name: str

    def __str__(self) -> str:
        return f"{VOLUME}{self.name}"


@dataclass(frozen=True, slots=True)
class Server:
    """A Chroma server, by HTTP."""

    url: str

    def __str__(self) -> str:
        return self.url


def read(text: str) -> Directory | Volume | Server:
    """What `--from` names.

    Raises:
        StackError: It names nothing of these.
    """
    if not text:
        raise StackError(f"name what to import: a directory, {VOLUME}NAME, or http(s)://HOST:PORT")
    if text.startswith(VOLUME):
        name = text.removeprefix(VOLUME)
        if not name or "/" in name or "," in name:
            raise StackError(f"{text!r} names no volume: it is {VOLUME}NAME, as `docker volume ls` shows it")
        return Volume(name)
    if "://" not in text:
        return Directory(Path(text).expanduser().resolve())
    try:
        parts = urlsplit(text)
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise StackError(f"{text!r} names no Chroma server: it is http://HOST:PORT or https://HOST:PORT")
    if parts.username or parts.password:
        raise StackError("credentials do not belong into --from, where every process list shows them: use --token")
    return Server(text.rstrip("/"))
