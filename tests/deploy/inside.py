"""What can be reached from inside a container, and what it answers there. Python is in every image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.deploy.deployment import Deployment

LIMIT_S = 5

_ASK = """
import json, sys, urllib.request
url, method, headers, limit = json.loads(sys.argv[1])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(urllib.request.Request(url, method=method, headers=headers), timeout=limit)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, answer.read().decode()]))
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
    """An HTTP answer."""

    status: int
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
