from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from cortex_api.embedder import OnnxEmbedder, pool, read_identity, runs_of
from cortex_api.model import ModelError
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def embedder(model_folder):
    return OnnxEmbedder(model_folder("int8"), threads=2)


def test_meaning_is_near(embedder):
    texts = ["A cat sits on the mat", "A kitten rests on a rug", "Quarterly tax declaration form"]
    vectors = embedder.embed(texts).vectors
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_a_text_has_the_same_vector_in_any_batch(embedder):
    texts = ["short", "a somewhat longer text about databases and search", "x " * 100]
    together = embedder.embed(texts).vectors
    alone = np.concatenate([embedder.embed([text]).vectors for text in texts])
    assert np.abs(together - alone).max() < 1e-4, "one scale per token, not per batch"


def test_overlong_texts_are_found_and_embedded_by_their_window(embedder):
    fits, exceeds = "word " * 254, "word " * 255
    result = embedder.embed([fits, exceeds])
    assert result.overlong == (1,)
    assert embedder.overlong(["a", exceeds, fits]) == (1,)
    assert result.vectors[0] @ result.vectors[1] > 0.999


def test_no_texts_give_no_vectors(embedder):
    assert embedder.embed([]).vectors.shape == (0, 384)


def test_one_session_sends_nothing_home(model_folder, tmp_path):
    script = "import sys; from pathlib import Path; from cortex_api.embedder import OnnxEmbedder\n"
    script += "OnnxEmbedder(Path(sys.argv[1]), 1).embed(['a'])"
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", script, str(model_folder("int8"))], env=environment, check=True)
    assert list(tmp_path.rglob("*")) == [], "onnxruntime keeps its unsent events in the home folder"


@given(st.lists(st.integers(1, 256), max_size=200), st.integers(1, 2_000))
def test_runs_hold_every_text_once_within_the_bound(lengths, bound):
    runs = list(runs_of(lengths, bound))
    assert sorted(index for run in runs for index in run) == list(range(len(lengths)))
    for run in runs:
        assert len(run) == 1 or len(run) * max(lengths[index] for index in run) <= bound


def test_pool_ignores_padding():
    states = np.array([[[1, 0], [3, 0], [99, 99]]], dtype=np.float32)
    assert pool(states, np.array([[1, 1, 0]])).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "not a model's manifest"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"x"), "SHA-256"),
    ],
)
def test_damaged_folder_is_refused(tmp_path, damage, message):
    (tmp_path / "model.onnx").write_bytes(b"model")
    digest = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    manifest = {"name": "m", "precision": "int8", "dimensions": 2, "sha256": digest, "window_tokens": 8}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert read_identity(tmp_path).sha256 == digest
    damage(tmp_path)
    with pytest.raises(ModelError, match=message):
        read_identity(tmp_path)
