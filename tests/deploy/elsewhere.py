"""A place outside of every container network, for containers that try to reach one: a network namespace."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.deployment import wait_for

# Of the range for tests of networks (RFC 2544); the private daemon has others of it.
HOST_ADDRESS, ADDRESS, PREFIX_BITS = "198.18.238.1", "198.18.238.2", 30
PORT = 8000


@dataclass(frozen=True)
class Elsewhere:
    """An HTTP server beyond this machine's own addresses: what goes there is routed.

    Attributes:
        url: Where it is asked for its word.
        word: What it answers, and nobody else would: some networks answer for addresses that are not there.
    """

    url: str
    word: str


@contextmanager
def elsewhere(folder: Path) -> Iterator[Elsewhere]:
    """Such a server, for as long as the block lasts.

    Args:
        folder: An empty folder for what it serves.
    """
    word, mark = secrets.token_hex(16), secrets.token_hex(3)
    (folder / "word").write_text(word)
    place, here, there = f"cortex-{mark}", f"cx{mark}h", f"cx{mark}o"
    _ip("netns", "add", place)
    server = None
    try:
        _ip("link", "add", "name", here, "type", "veth", "peer", "name", there, "netns", place)
        _ip("address", "add", f"{HOST_ADDRESS}/{PREFIX_BITS}", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", place, "address", "add", f"{ADDRESS}/{PREFIX_BITS}", "dev", there)
        _ip("-n", place, "link", "set", there, "up")
        _ip("-n", place, "route", "add", "default", "via", HOST_ADDRESS)
        serve = [sys.executable, "-m", "http.server", str(PORT), "--bind", ADDRESS, "--directory", str(folder)]
        server = subprocess.Popen(
            ["ip", "netns", "exec", place, *serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: _listens(place), f"the listener in namespace {place}", 30)
        yield Elsewhere(f"http://{ADDRESS}:{PORT}/word", word)
    finally:
        if server is not None:
            server.kill()
            server.wait(30)
        # Takes both ends of the pair with it.
        _ip("netns", "delete", place)


def _listens(place: str) -> bool:
    look = ["ip", "netns", "exec", place, "cat", "/proc/net/tcp"]
    sockets = subprocess.run(look, capture_output=True, text=True, check=True, timeout=30).stdout
    # 0A is LISTEN; ports are hexadecimal.
    return f":{PORT:04X} 00000000:0000 0A" in sockets


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)
