"""The few calls of the Cortex API that the demo needs."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

import httpx

from ops.demo.texts import Text
from ops.stack import StackError

REQUEST_LIMIT_S = 120


class Api:
    """A client of one stack's API.

    Args:
        url: Where it answers.
        token: Bearer token.
        authority: Certificate to trust, PEM; None for those that the machine trusts.
    """

    def __init__(self, url: str, token: str, authority: str | None) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=REQUEST_LIMIT_S,
            trust_env=False,
            verify=ssl.create_default_context(cadata=authority),
        )

    def ensure_collection(self, name: str) -> None:
        """Create a collection unless it is there."""
        if self._call("GET", f"/v1/collections/{name}", allowed=(404,)).status_code == httpx.codes.NOT_FOUND:
            self._call("POST", "/v1/collections", {"name": name})

    def digests(self, name: str, ids: Sequence[str]) -> dict[str, str]:
        """The digest of each text that is stored already."""
        body = {"ids": list(ids), "include": ["metadata"], "limit": len(ids)}
        documents = self._call("POST", f"/v1/collections/{name}/documents/get", body).json()["documents"]
        return {document["id"]: (document["metadata"] or {}).get("digest", "") for document in documents}

    def upsert(self, name: str, texts: Sequence[Text]) -> None:
        """Write texts; the API embeds them."""
        documents = [{"id": text.id, "text": text.text, "metadata": text.metadata} for text in texts]
        self._call("POST", f"/v1/collections/{name}/documents", {"documents": documents})

    def count(self, name: str) -> int:
        """How many records a collection holds."""
        return int(self._call("GET", f"/v1/collections/{name}/count").json()["count"])

    def query(self, name: str, texts: Sequence[str], k: int) -> list[list[dict[str, Any]]]:
        """The `k` nearest records of each text."""
        answer = self._call("POST", f"/v1/collections/{name}/query", {"texts": list(texts), "k": k}).json()
        return [result["matches"] for result in answer["results"]]

    def _call(self, method: str, path: str, body: object = None, *, allowed: Sequence[int] = ()) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise StackError(
                f"{self._client.base_url} does not answer ({error}); `make status` tells how the stack is"
            ) from None
        if response.is_error and response.status_code not in allowed:
            raise StackError(f"{method} {path} was answered with {response.status_code}: {response.text[:500]}")
        return response
