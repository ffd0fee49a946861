"""The process's configuration: environment variables CORTEX_*, all checked before anything starts."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOCAL_MODEL = "all-MiniLM-L6-v2"
LOCAL_DIMENSIONS = 384
_MIB = 1 << 20
_SERVER_LIBRARY = "chromadb_rust_bindings"


class SettingsError(ValueError):
    """One or more variables are wrong; the message has a line for each."""


class StorageKind(StrEnum):
    """Where the store is."""

    EMBEDDED = "embedded"
    """In this process, which is then the only one."""
    REMOTE = "remote"
    """Behind a Chroma server, which any number of these processes may share."""


class Settings(BaseSettings):
    """What the API process is told. Limits are hard: what exceeds them is refused, never truncated."""

    model_config = SettingsConfigDict(env_prefix="CORTEX_", frozen=True, extra="ignore", populate_by_name=True)

    stack: str = Field("dev", description="name of the stack, shown in status and logs")
    host: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 -- a container publishes what it wants
    port: int = Field(8080, ge=1, le=65_535)
    inner_credential_file: Path = Field(
        Path("/run/cortex/secrets/inner-credential"),
        description="SHA-256 in hex of the credential by which the gateway proves itself; one or more lines",
    )

    storage: StorageKind = Field(StorageKind.EMBEDDED, description="where the store is")
    store_path: Path = Field(Path("/data"), description="embedded: its folder; chroma.sqlite3 lies directly in it")
    chroma_url: str | None = Field(None, description="remote: the server, or the door before it, as http://host:port")
    chroma_token_file: Path = Field(
        Path("/run/cortex/secrets/chroma-token"), description="remote: holds what is sent as x-chroma-token"
    )
    chroma_timeout_s: float = Field(
        60.0, ge=1, le=3_600, description="remote: longest wait for an answer, queues included"
    )
    chroma_check_interval_s: float = Field(5.0, gt=0, le=3_600, description="remote: between looks whether it answers")
    chroma_away_s: float = Field(
        60.0, ge=0, le=86_400, description="remote: health fails when it has not answered for this long"
    )

    model: str = Field(LOCAL_MODEL, min_length=1, description="embedding model the stack was sized for")
    dimensions: int = Field(LOCAL_DIMENSIONS, ge=1, le=65_535)
    model_path: Path = Field(Path("/opt/cortex/model"), description="folder of the local model")

    max_body_bytes: int = Field(16 * _MIB, ge=1024, description="body of one request, as it arrives")
    max_batch_rows: int = Field(1_000, ge=1, le=100_000, description="rows given to Chroma at once")
    max_request_rows: int = Field(10_000, ge=1, description="rows or ids in one request")
    max_text_chars: int = Field(100_000, ge=1, description="characters of one text")
    max_k: int = Field(1_000, ge=1, description="neighbours of one query")
    max_page_rows: int = Field(1_000, ge=1, description="rows of one page")
    max_queries: int = Field(100, ge=1, description="texts or vectors in one query request")
    max_concurrent_requests: int = Field(16, ge=1, le=1_000)
    max_collections: int = Field(100, ge=1, le=10_000)

    start_wait_s: float = Field(
        0.0,
        ge=0,
        le=3_600,
        description="until so long after the start, requests wait for the store to be open; if above 0, an embedded"
        " store refuses connections from SIGTERM on, so that a gateway lets their callers wait",
    )
    stop_linger_s: float = Field(
        0.0, ge=0, le=60, description="after SIGTERM: health says stopping, and requests are still taken"
    )
    stop_grace_s: float = Field(30.0, ge=0, le=3_600, description="after that, for running requests to end")
    canary_interval_s: float = Field(60.0, gt=0, le=86_400)
    lock_fd: int | None = Field(None, ge=3, description="set by the guard: the descriptor that holds the store's lock")
    health_state_path: Path = Field(
        Path("/tmp/cortex/health.json"),  # noqa: S108 -- the guard's default, in the container
        validation_alias="HEALTH_STATE_PATH",
        description="where the guard says whether the store may be written",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    sizing: Annotated[dict[str, Any], NoDecode] = Field(
        default_factory=dict, description="shown in /v1/status as given"
    )

    @property
    def guarded(self) -> bool:
        """Whether a guard started this process: then it holds the store's lock and has prepared the store."""
        return self.lock_fd is not None

    @property
    def is_remote(self) -> bool:
        """Whether the store is behind a server."""
        return self.storage is StorageKind.REMOTE

    @property
    def embeds_locally(self) -> bool:
        """Whether the model's weights are in the image; else clients bring their own vectors."""
        return self.model == LOCAL_MODEL


def load_settings(**overrides: Any) -> Settings:
    """Read the environment.

    Args:
        overrides: fields that replace the environment (tests).

    Raises:
        SettingsError: everything that is wrong, a line per variable with what would do.
    """
    lines: list[str] = []
    values = dict(overrides)
    if "sizing" not in values:
        values["sizing"] = _sizing(lines)
    try:
        settings = Settings(**values)
    except ValidationError as problem:
        lines += [_line(error["loc"], error["msg"], error["input"]) for error in problem.errors()]
    else:
        if settings.embeds_locally and settings.dimensions != LOCAL_DIMENSIONS:
            lines.append(
                f"CORTEX_DIMENSIONS={settings.dimensions}: {LOCAL_MODEL} makes {LOCAL_DIMENSIONS}; "
                f"set {LOCAL_DIMENSIONS}, or another CORTEX_MODEL"
            )
        lines += _place_lines(settings)
    if lines:
        raise SettingsError("\n".join(lines))
    return settings


def _place_lines(settings: Settings) -> list[str]:
    """What is wrong with where the store is said to be."""
    url = settings.chroma_url
    lines = []
    if not settings.is_remote:
        if url is not None:
            lines.append(f"CORTEX_CHROMA_URL={url}: the store is embedded; leave it out, or set CORTEX_STORAGE=remote")
        if find_spec(_SERVER_LIBRARY) is None:
            lines.append("CORTEX_STORAGE=embedded: only Chroma's client is installed here, for CORTEX_STORAGE=remote")
        return lines
    if url is None:
        lines.append("CORTEX_CHROMA_URL: is needed with CORTEX_STORAGE=remote, for example http://chroma:8000")
    elif not _is_server(url):
        lines.append(f"CORTEX_CHROMA_URL={url}: must be http://host:port or https://host:port, without a path")
    if settings.lock_fd is not None:
        lines.append(
            "CORTEX_LOCK_FD: with CORTEX_STORAGE=remote there is no store here to lock; start the guard with "
            "HEALTH_SERVER=none"
        )
    return lines


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return known and parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)


def _sizing(lines: list[str]) -> dict[str, Any]:
    text = os.environ.get("CORTEX_SIZING", "{}")
    try:
        value = json.loads(text)
    except ValueError as problem:
        lines.append(f"CORTEX_SIZING: not JSON ({problem}); give an object such as {{}}")
        return {}
    if not isinstance(value, dict):
        lines.append(f"CORTEX_SIZING: a JSON {type(value).__name__}, not an object; give an object such as {{}}")
        return {}
    return value


def _line(location: tuple[int | str, ...], message: str, value: object) -> str:
    name = ".".join(str(part) for part in location)
    variable = name.upper() if name.upper().startswith("CORTEX_") else f"CORTEX_{name.upper()}"
    return f"{variable}={value}: {message}"
