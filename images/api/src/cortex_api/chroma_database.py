"""One database of a remote Chroma, with the methods for collections that chromadb's own client has.

chromadb.HttpClient is not used whole: it asks the server three questions before its timeouts can be set, and has no
say in how requests are sent.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import httpx

from cortex_api import chroma_library
from cortex_api.schemas import NAME_PATTERN
from cortex_api.storage import CollectionMissing

TENANT = "default_tenant"
DATABASE = "default_database"
_NAME = re.compile(NAME_PATTERN)


class ChromaDatabase:
    """Collections of one database. Safe to use from several threads."""

    def __init__(self, url: str, http: httpx.Client, database: str = DATABASE) -> None:
        """Nothing is sent yet.

        Args:
            url: of the server, as http://host:port.
            http: sends the requests.
            database: name; of the default tenant.
        """
        library = chroma_library.chroma()
        parts = urlsplit(url)
        system = library.config.System(
            library.config.Settings(
                anonymized_telemetry=False,
                chroma_api_impl="chromadb.api.fastapi.FastAPI",
                chroma_server_host=parts.hostname,
                chroma_server_http_port=parts.port or (443 if parts.scheme == "https" else 80),
                chroma_server_ssl_enabled=parts.scheme == "https",
            )
        )
        self._collection = library.Collection
        self._server = system.instance(library.api.ServerAPI)
        http.headers.update(self._server._session.headers)
        self._server._session.close()
        self._server._session = http
        self._place = {"tenant": TENANT, "database": database}

    def check(self) -> None:
        """Return when the server answers and has the database."""
        self._server.get_database(self._place["database"], self._place["tenant"])

    def get_max_batch_size(self) -> int:
        """Rows that one request takes."""
        return int(self._server.get_max_batch_size())

    def count_collections(self) -> int:
        """How many there are."""
        return int(self._server.count_collections(**self._place))

    def list_collections(self) -> list[Any]:
        """All of them."""
        return [self._handle(model) for model in self._server.list_collections(**self._place)]

    def get_collection(self, name: str, embedding_function: None = None) -> Any:
        """The collection; `CollectionMissing` for what can be none's name: it would be a path to something else."""
        del embedding_function  # vectors are always given
        return self._handle(self._server.get_collection(_checked(name), **self._place))

    def create_collection(
        self, name: str, *, metadata: Any, configuration: Any, embedding_function: None = None
    ) -> Any:
        """Make a collection."""
        del embedding_function
        model = self._server.create_collection(
            name=_checked(name), metadata=metadata, configuration=configuration, **self._place
        )
        return self._handle(model)

    def delete_collection(self, name: str) -> None:
        """Remove the collection."""
        self._server.delete_collection(_checked(name), **self._place)

    def _handle(self, model: Any) -> Any:
        return self._collection(client=self._server, model=model, embedding_function=None)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise CollectionMissing(name)
    return name
