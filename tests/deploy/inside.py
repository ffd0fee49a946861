"""What can be reached from inside a container, and what it answers there. Python is in every image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.deploy.deployment import Deployment

LIMIT_S = 3

_ASK = """
import json, sys, urllib.request
url, method, headers, limit = json.loads(sys.argv[1])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(urllib.request.Request(url, method=method, headers=headers), timeout=limit)
    said = [answer.status, answer.read().decode()]
except urllib.error.HTTPError as error:
    said = [error.status, error.read().decode()]
except OSError as error:
    said = [None, str(error)]
print(json.dumps(said))
"""
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])).close()
except OSError as error:
    print(f"{type(error).__name__}: {error}")
"""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; without a status there was none, and the text says why."""

    status: int | None
    text: str


def ask(
    deployment: Deployment, part: str, url: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Answer:
    """Send a request from inside a container of the stack.

    Args:
        deployment: The stack.
        part: Which container, such as `gateway`.
        url: As seen from there, such as `http://api:8080/v1/status`.
        headers: Of the request.
        method: Of the request.
    """
    request = json.dumps([url, method, dict(headers or {}), LIMIT_S])
    said = deployment.docker(["exec", deployment.container(part), "python3", "-c", _ASK, request])
    return Answer(*json.loads(said))


def why_not_connected(deployment: Deployment, part: str, host: str, port: int) -> str:
    """Connect by TCP from inside a container of the stack; what went wrong, empty when nothing did."""
    command = ["python3", "-c", _CONNECT, host, str(port), str(LIMIT_S)]
    return deployment.docker(["exec", deployment.container(part), *command]).strip()
