"""A running API per test module over a real store, with a tiny stand-in for the model.

The store is embedded. A module with `STORES = ("embedded", "remote")` is run twice, the second time over one real
Chroma server, where every store is a database of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import structlog
from cortex_api.app import create_app
from cortex_api.auth import Gateway
from cortex_api.embedded_storage import EmbeddedStorage
from cortex_api.guard_state import GuardState
from cortex_api.model import Embedded, ModelIdentity
from cortex_api.remote_storage import RemoteStorage
from cortex_api.runtime import Runtime
from cortex_api.settings import Settings, load_settings
from cortex_api.storage import Storage
from starlette.testclient import TestClient

import store

ROOT = Path(__file__).parents[3]
MODEL_RECIPE = ROOT / "images/api/model"
sys.path.insert(0, str(MODEL_RECIPE))
sys.path.insert(0, str(ROOT / "images/api/build"))

from cortex_model.bundle import write_bundle  # noqa: E402 -- found by the lines above
from cortex_model.tensors import Precision  # noqa: E402 -- found by the lines above
from cortex_model.weights import fetch  # noqa: E402 -- found by the lines above

# Without the pictures of every frame's variables that structlog draws by default: they take seconds.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])

CREDENTIAL = "inner-secret"
DIMENSIONS = 8
Place = Path | str
"""Where a store is: a folder, or a database of the server."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stores = getattr(metafunc.module, "STORES", None)
    chosen = any("store_kind" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if stores and "store_kind" in metafunc.fixturenames and not chosen:
        metafunc.parametrize("store_kind", stores, indirect=True, scope="module")


def said_by_the_gateway(role: str, credential: str = CREDENTIAL) -> dict[str, str]:
    """What the gateway adds to a request with a token of this role; the token has the role's name."""
    return {"X-Cortex-Inner": credential, "X-Cortex-Role": role, "X-Cortex-Token-Name": role}


def write_credential(path: Path, *credentials: str) -> Path:
    known = [hashlib.sha256(each.encode()).hexdigest() for each in credentials or (CREDENTIAL,)]
    path.write_text("\n".join(known) + "\n")
    return path


class FakeEmbedder:
    """Words hashed into 8 dimensions; a window of 10 words."""

    def __init__(self, sha256: str = "f" * 64) -> None:
        self.identity = ModelIdentity("fake", "int8", DIMENSIONS, sha256, 10)
        self.batches: list[int] = []

    def overlong(self, texts: Sequence[str]) -> tuple[int, ...]:
        return tuple(index for index, text in enumerate(texts) if len(text.split()) > self.identity.window_tokens)

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.batches.append(len(texts))
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split()[: self.identity.window_tokens]:
                vectors[row, hashlib.sha256(word.encode()).digest()[0] % DIMENSIONS] += 1
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embedded(vectors / np.maximum(norms, 1e-9), self.overlong(texts))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store without data, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    # In a child, as the product does it: here, Chroma's connections close whenever its threads get to it.
    subprocess.run([sys.executable, "-m", "cortex_api.schema", str(folder)], check=True, timeout=60)
    store.prepare(folder)
    return folder


@pytest.fixture(scope="session")
def copy_store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    def copy() -> Path:
        folder = tmp_path_factory.mktemp("stores") / "store"
        shutil.copytree(empty_store, folder)
        return folder

    return copy


@pytest.fixture(scope="session")
def chroma_url(copy_store: Callable[[], Path]) -> Iterator[str]:
    """A real Chroma server over a prepared store."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chroma = Path(sys.executable).parent / "chroma"
    folder = copy_store()
    server = subprocess.Popen(
        [sys.executable, str(chroma), "run", "--path", str(folder), "--port", str(port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            assert server.poll() is None, f"chroma run ended with {server.returncode}"
            assert time.monotonic() < deadline, "waited 60 s for chroma run to answer"
            try:
                httpx.get(f"{url}/api/v2/heartbeat", trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield url
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


class Api:
    """An opened API: `as_("write").get(...)`, `admin`, and the parts behind it."""

    def __init__(self, runtime: Runtime, credential_file: Path) -> None:
        self.runtime = runtime
        self.credential_file = credential_file
        self.app = create_app(runtime, Gateway(credential_file))
        self.admin = self.as_("admin")
        self.reader = self.as_("read")
        self.writer = self.as_("write")
        self.anonymous = TestClient(self.app)
        self._names = itertools.count()

    def as_(self, role: str, credential: str = CREDENTIAL) -> TestClient:
        headers = said_by_the_gateway(role, credential)
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

    def collection(self, **fields: Any) -> str:
        name = f"col-{next(self._names):03d}"
        answer = self.admin.post("/v1/collections", json={"name": name, **fields})
        assert answer.status_code == 201, answer.text
        return f"/v1/collections/{name}"

    def close(self) -> None:
        self.runtime.begin_stop()
        assert self.runtime.close(5)


@pytest.fixture(scope="module")
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "embedded"))


@pytest.fixture(scope="module")
def new_place(
    store_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Place]:
    """An empty store."""

    def embedded() -> Path:
        folder: Path = request.getfixturevalue("copy_store")()
        return folder

    def remote() -> str:
        url = request.getfixturevalue("chroma_url")
        name = tmp_path_factory.mktemp("database").name
        made = httpx.post(f"{url}/api/v2/tenants/default_tenant/databases", json={"name": name}, trust_env=False)
        made.raise_for_status()
        return name

    return embedded if store_kind == "embedded" else remote


@pytest.fixture(scope="module")
def make_api(
    store_kind: str,
    new_place: Callable[[], Place],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Api]]:
    """Opens an API with settings of one's own; closed at the module's end."""
    opened: list[Api] = []
    remote = store_kind == "remote"
    url: str | None = request.getfixturevalue("chroma_url") if remote else None

    def make(
        place: Place | None = None,
        embedder: FakeEmbedder | None = None,
        guard_state: Path | None = None,
        **overrides: Any,
    ) -> Api:
        at = new_place() if place is None else place
        credential_file = write_credential(tmp_path_factory.mktemp("secrets") / "inner-credential")
        fields = {"model": "custom", "dimensions": DIMENSIONS, "canary_interval_s": 3600, **overrides}
        fields |= {"storage": "remote", "chroma_url": url} if remote else {"store_path": at}
        settings: Settings = load_settings(inner_credential_file=credential_file, **fields)

        def storage() -> Storage:
            if url is not None:
                return RemoteStorage(url, lambda: "not asked for here", settings.max_collections, database=str(at))
            writable = GuardState(guard_state).check_writable
            return EmbeddedStorage(settings.store_path, settings.max_collections, writable)

        runtime = Runtime(settings, storage, lambda: embedder)
        runtime.open()
        opened.append(Api(runtime, credential_file))
        return opened[-1]

    yield make
    for each in opened:
        if each.runtime.phase.current != "stopping":
            each.close()


@pytest.fixture(scope="module")
def api(make_api: Callable[..., Api]) -> Api:
    return make_api(embedder=FakeEmbedder(), max_batch_rows=3, max_request_rows=20, max_text_chars=200, max_k=50)


@pytest.fixture(scope="session")
def model_folder() -> Callable[[str], Path]:
    """The real model, built once per recipe into the cache folder of the machine."""
    recipe = hashlib.sha256()
    for path in sorted([*MODEL_RECIPE.rglob("*.py"), MODEL_RECIPE / "weights.lock"]):
        recipe.update(path.read_bytes())
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "cortex")
    cache = Path(os.environ.get("CORTEX_CACHE_DIR", default), "model")

    def folder(precision: str) -> Path:
        target = cache / recipe.hexdigest()[:16] / precision
        if not (target / "manifest.json").exists():
            write_bundle(fetch(cache / "downloads"), Precision(precision), target)
        return target

    return folder


@pytest.fixture(scope="session")
def fake_embedder() -> type[FakeEmbedder]:
    return FakeEmbedder


@pytest.fixture(scope="session")
def credential_writer() -> Callable[..., Path]:
    return write_credential


@pytest.fixture(scope="session")
def gateway_headers() -> Callable[..., dict[str, str]]:
    return said_by_the_gateway
