"""A running API per test module over a real embedded store, with a tiny stand-in for the model."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cortex_api.app import create_app
from cortex_api.auth import Tokens
from cortex_api.chroma_storage import ChromaStorage
from cortex_api.guard_state import GuardState
from cortex_api.model import Embedded, ModelIdentity
from cortex_api.runtime import Runtime
from cortex_api.settings import Settings, load_settings
from starlette.testclient import TestClient

import store

ROOT = Path(__file__).parents[3]
MODEL_RECIPE = ROOT / "images/api/model"
sys.path.insert(0, str(MODEL_RECIPE))
sys.path.insert(0, str(ROOT / "images/api/build"))

from cortex_model.bundle import write_bundle  # noqa: E402 -- found by the lines above
from cortex_model.tensors import Precision  # noqa: E402 -- found by the lines above
from cortex_model.weights import fetch  # noqa: E402 -- found by the lines above

TOKENS = {"reader-token": "read", "writer-token": "write", "admin-token": "admin"}
DIMENSIONS = 8


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


def write_tokens(path: Path, tokens: dict[str, str] | None = None) -> Path:
    entries = [
        {"name": role, "role": role, "sha256": hashlib.sha256(token.encode()).hexdigest()}
        for token, role in (TOKENS if tokens is None else tokens).items()
    ]
    path.write_text(json.dumps(entries))
    return path


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


class Api:
    """An opened API: `as_("writer-token").get(...)`, `admin`, and the parts behind it."""

    def __init__(self, runtime: Runtime, tokens_file: Path) -> None:
        self.runtime = runtime
        self.tokens_file = tokens_file
        self.app = create_app(runtime, Tokens(tokens_file))
        self.admin = self.as_("admin-token")
        self.reader = self.as_("reader-token")
        self.writer = self.as_("writer-token")
        self.anonymous = TestClient(self.app)
        self._names = itertools.count()

    def as_(self, token: str) -> TestClient:
        return TestClient(self.app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)

    def collection(self, **fields: Any) -> str:
        name = f"col-{next(self._names):03d}"
        answer = self.admin.post("/v1/collections", json={"name": name, **fields})
        assert answer.status_code == 201, answer.text
        return f"/v1/collections/{name}"

    def close(self) -> None:
        self.runtime.begin_stop()
        assert self.runtime.close(5)


@pytest.fixture(scope="module")
def make_api(copy_store: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Api]]:
    """Opens an API with settings of one's own; closed at the module's end."""
    opened: list[Api] = []

    def make(
        path: Path | None = None,
        embedder: FakeEmbedder | None = None,
        guard_state: Path | None = None,
        **overrides: Any,
    ) -> Api:
        tokens_file = write_tokens(tmp_path_factory.mktemp("secrets") / "tokens.json")
        fields = {"model": "custom", "dimensions": DIMENSIONS, "canary_interval_s": 3600, **overrides}
        settings: Settings = load_settings(store_path=path or copy_store(), tokens_file=tokens_file, **fields)
        runtime = Runtime(
            settings,
            lambda: ChromaStorage(
                settings.store_path, settings.max_collections, GuardState(guard_state).check_writable
            ),
            lambda: embedder,
        )
        runtime.open()
        opened.append(Api(runtime, tokens_file))
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
def tokens_writer() -> Callable[..., Path]:
    return write_tokens
