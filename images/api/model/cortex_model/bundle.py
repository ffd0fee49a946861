"""The folder that the API loads: model.onnx, tokenizer.json and the manifest that names what they are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from onnx import load
from safetensors.numpy import load_file

from cortex_model.graph import HIDDEN, build
from cortex_model.published import with_precision
from cortex_model.tensors import Precision
from cortex_model.weights import SAFETENSORS_SHA256, Weights, sha256_of

NAME = "all-MiniLM-L6-v2"
# sentence-transformers' own setting for this model (sentence_bert_config.json); the network itself reaches 512.
WINDOW_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is. `sha256` is of model.onnx and is the model's identity in collections."""

    name: str
    precision: str
    dimensions: int
    window_tokens: int
    sha256: str
    tokenizer_sha256: str
    source: str
    weights_sha256: str


def write_bundle(weights: Weights, precision: Precision, out: Path) -> Manifest:
    """Write the bundle. The same weights and precision give the same bytes on every machine.

    Returns:
        The manifest, also written as manifest.json, last, so that a folder with a manifest is complete.
    """
    out.mkdir(parents=True, exist_ok=True)
    model_path, tokenizer_path = out / "model.onnx", out / "tokenizer.json"
    if weights.safetensors is not None:
        model = build(load_file(weights.safetensors), precision)
        origin = SAFETENSORS_SHA256
    else:
        assert weights.onnx is not None  # noqa: S101 -- the type says one of the two
        model = with_precision(load(weights.onnx), precision)
        origin = sha256_of(weights.onnx)
    model_path.write_bytes(model.SerializeToString(deterministic=True))
    tokenizer_path.write_bytes(_plain_tokenizer(weights.tokenizer.read_text(encoding="utf-8")))
    manifest = Manifest(
        name=NAME,
        precision=precision.value,
        dimensions=HIDDEN,
        window_tokens=WINDOW_TOKENS,
        sha256=sha256_of(model_path),
        tokenizer_sha256=sha256_of(tokenizer_path),
        source=weights.source,
        weights_sha256=origin,
    )
    (out / "manifest.json").write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
    return manifest


def _plain_tokenizer(text: str) -> bytes:
    """The tokenizer without its stored truncation and padding: the API decides about both, and reports what it cuts."""
    tokenizer = json.loads(text)
    tokenizer["truncation"] = None
    tokenizer["padding"] = None
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")).encode()
