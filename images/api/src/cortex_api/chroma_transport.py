"""The way to a remote Chroma: credential, request id, timeouts, what may be repeated, and what a refusal means."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import structlog

from cortex_api.chroma_refusals import refusal_of
from cortex_api.storage import StorageError, StoreBusy

TOKEN_HEADER = "x-chroma-token"  # noqa: S105 -- a header's name
CONNECT_TIMEOUT_S = 5.0
# Below what proxies keep a connection for, so that it is this side that ends an idle one.
KEEPALIVE_S = 15.0
# Only of connections that were never made: after 0, 0.5 and 1 s.
_CONNECT_RETRIES = 3
_SAME_WHEN_REPEATED = re.compile(r"/(query|get|count|search|upsert)$")


def session(token: Callable[[], str], timeout_s: float, connections: int) -> httpx.Client:
    """A client that keeps up to `connections` connections, without regard to proxies of the environment.

    Args:
        token: the credential of this moment.
        timeout_s: longest wait for an answer.
        connections: that may be open together.
    """
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEPALIVE_S
    )
    wire = httpx.HTTPTransport(limits=limits, retries=_CONNECT_RETRIES, trust_env=False)
    timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    return httpx.Client(transport=ChromaTransport(wire, token, timeout_s), timeout=timeout, trust_env=False)


class ChromaTransport(httpx.BaseTransport):
    """Sends requests and reads answers whole. What is no answer of Chroma becomes a `StorageError`."""

    def __init__(self, wire: httpx.BaseTransport, token: Callable[[], str], timeout_s: float) -> None:
        self._wire = wire
        self._token = token
        self._timeout_s = timeout_s

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` with the credential; raises `StorageError`."""
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if request_id:
            request.headers["X-Request-Id"] = str(request_id)
        token = self._token()
        response = self._answer(request, token)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._token() != token:
            # Changed between the two looks: what was refused was not done.
            response = self._answer(request, self._token())
        refusal = refusal_of(response.status_code, response.headers.get("Retry-After"), response.text)
        if refusal is not None:
            raise refusal
        kind = response.headers.get("Content-Type", "")
        if response.is_success and "json" not in kind:
            raise StorageError(
                f"{_place(request)} answered with {kind or 'no'} content, not with JSON: it is no Chroma"
            )
        return response

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    def _answer(self, request: httpx.Request, token: str) -> httpx.Response:
        request.headers[TOKEN_HEADER] = token
        where = _place(request)
        try:
            return self._read(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise StoreBusy(f"{where} could not be reached: {str(error) or type(error).__name__}") from error
        except httpx.TimeoutException as error:
            raise StoreBusy(f"{where} did not answer within {self._timeout_s:g} s") from error
        except httpx.TransportError as error:
            raise StoreBusy(f"{where} ended the connection before its answer: {error}") from error

    def _read(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._read_once(request)
        except httpx.TimeoutException:
            raise
        except (httpx.RemoteProtocolError, httpx.NetworkError) as error:
            # An idle connection may be closed by the other side at the moment in which it is used again.
            if isinstance(error, httpx.ConnectError) or not is_repeatable(request):
                raise
            return self._read_once(request)

    def _read_once(self, request: httpx.Request) -> httpx.Response:
        response = self._wire.handle_request(request)
        try:
            response.read()
        finally:
            response.close()
        return response


def _place(request: httpx.Request) -> str:
    return f"Chroma at {request.url.netloc.decode('ascii')}"


def is_repeatable(request: httpx.Request) -> bool:
    """Whether doing it twice is the same as once: reading, and writing by id what replaces itself."""
    if request.method in {"GET", "HEAD"}:
        return True
    return request.method == "POST" and bool(_SAME_WHEN_REPEATED.search(request.url.path))
