"""What answers whom: this host, containers of other networks, and the stack's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.deploy.deployment import Deployment

LIMIT_S = 2
Place = tuple[str, int]
"""Address and port."""

# There are networks in which somebody answers for every address that does not exist: what is said there is no answer.
_NOBODY = ("203.0.113.1", 80)
_LOOK = """
import json, re, socket, sys
from concurrent.futures import ThreadPoolExecutor
places, nobody, limit = json.loads(sys.argv[1])
def said(place):
    try:
        with socket.create_connection(place, timeout=limit) as connection:
            connection.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
            return re.sub(rb"[0-9]", b"", connection.recv(1000))
    except OSError:
        return b""
with ThreadPoolExecutor(64) as pool:
    nothing, *found = pool.map(said, [nobody, *places])
    print(json.dumps([place for place, words in zip(places, found) if words not in (b"", nothing)]))
"""
_SERVE = """
import http.server
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@dataclass(frozen=True)
class Foreigner:
    """A container that is none of the stack's, with a web server on port 8000."""

    deployment: Deployment
    name: str
    address: str

    def answered(self, places: Iterable[Place]) -> set[Place]:
        """The places that answer it."""
        return answered_in(self.deployment, self.name, places)


@contextmanager
def foreigner(deployment: Deployment, network: str) -> Iterator[Foreigner]:
    """One on a network of its own, which is made and removed, or on Docker's default one (`bridge`)."""
    name = f"cortex-{deployment.name}-foreigner-{network}"
    own = network != "bridge"
    try:
        if own:
            deployment.docker(["network", "create", name])
        deployment.docker(
            [
                *("run", "--detach", "--name", name, "--network", name if own else network),
                *("--entrypoint", "python3", deployment.inspect()["Image"], "-c", _SERVE),
            ]
        )
        inspected = json.loads(deployment.docker(["inspect", name]))[0]
        (connected,) = inspected["NetworkSettings"]["Networks"].values()
        yield Foreigner(deployment, name, connected["IPAddress"])
    finally:
        deployment.docker(["rm", "--force", name])
        if own:
            deployment.docker(["network", "rm", name])


def answered_in(deployment: Deployment, container: str, places: Iterable[Place]) -> set[Place]:
    """The places that answer a container, by its name on the host."""
    command = ["exec", container, "python3", "-c", _LOOK, json.dumps([[*places], _NOBODY, LIMIT_S])]
    return _places(deployment.docker(command))


def answered_on_host(places: Iterable[Place]) -> set[Place]:
    """The places that answer this machine."""
    command = [sys.executable, "-c", _LOOK, json.dumps([[*places], _NOBODY, LIMIT_S])]
    return _places(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def addresses(deployment: Deployment, part: str) -> dict[str, str]:
    """A container's address in each of its networks, by the network's name within the stack; nothing without any."""
    prefix = f"cortex-{deployment.name}-"
    networks = deployment.inspect(part)["NetworkSettings"]["Networks"]
    return {name.removeprefix(prefix): network["IPAddress"] for name, network in networks.items() if name != "none"}


def _places(text: str) -> set[Place]:
    return {(address, port) for address, port in json.loads(text)}
