"""Texts to vectors: one ONNX session for the life of the process, padded to what is there, bounded in memory."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

# onnxruntime sends usage events to its maker unless told not to before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from cortex_api.model import Embedded, ModelError, ModelIdentity, Vectors

# Texts x tokens of one run of the model. Activations take about 50 KB per token (measured: docs/api.md), so a run
# takes about 50 MB whatever the batch is.
RUN_TOKENS = 1_024
# Texts that are tokenised at once: token lists cost far more than the texts, and a batch can be large.
TOKENISE_TEXTS = 512
_SMALLEST_NORM = 1e-12
_HASH_BLOCK_BYTES = 1 << 20


def read_identity(folder: Path) -> ModelIdentity:
    """The manifest of a model's folder.

    Raises:
        ModelError: it is missing, damaged, or model.onnx is not the file it names.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        identity = ModelIdentity(**{name: manifest[name] for name in ModelIdentity.__slots__})
        digest = hashlib.sha256()
        with (folder / "model.onnx").open("rb") as file:
            while block := file.read(_HASH_BLOCK_BYTES):
                digest.update(block)
    except OSError as problem:
        raise ModelError(f"CORTEX_MODEL_PATH={folder}: {problem.strerror}: {problem.filename}") from problem
    except (ValueError, KeyError, TypeError) as problem:
        raise ModelError(
            f"{folder}/manifest.json: not a model's manifest ({problem!r}); build the image again"
        ) from problem
    if digest.hexdigest() != identity.sha256:
        raise ModelError(
            f"{folder / 'model.onnx'} has SHA-256 {digest.hexdigest()}, the manifest says {identity.sha256}; "
            "build the image again"
        )
    return identity


class OnnxEmbedder:
    """The sentence-transformers recipe: the encoder, mean over the tokens, unit length."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load the model; takes about 0.2 s.

        Args:
            folder: holds model.onnx, tokenizer.json and manifest.json.
            threads: of one run of the model.

        Raises:
            ModelError: the folder does not hold a model that onnxruntime can run.
        """
        self._identity = read_identity(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Without the arena the memory of a run is given back; with it the largest run ever is kept.
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as problem:  # onnxruntime and tokenizers raise bare or private types
            raise ModelError(f"CORTEX_MODEL_PATH={folder}: {problem}") from problem
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._one_run = threading.Lock()
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._identity.window_tokens)

    @property
    def identity(self) -> ModelIdentity:
        """The model in use."""
        return self._identity

    def overlong(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Indices of texts with more tokens than the window (the two marker tokens count)."""
        return tuple(
            start + index
            for start, encodings in self._tokenised(texts)
            for index, encoding in enumerate(encodings)
            if encoding.overflowing
        )

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Vectors of `texts`, in order. An overlong text is embedded by its first window and reported."""
        vectors = np.empty((len(texts), self._identity.dimensions), dtype=np.float32)
        overlong: list[int] = []
        for start, encodings in self._tokenised(texts):
            overlong += [start + index for index, encoding in enumerate(encodings) if encoding.overflowing]
            token_lists = [encoding.ids for encoding in encodings]
            for members in runs_of([len(tokens) for tokens in token_lists]):
                vectors[[start + index for index in members]] = self._run([token_lists[index] for index in members])
        return Embedded(vectors, tuple(overlong))

    def _tokenised(self, texts: Sequence[str]) -> Iterator[tuple[int, list[Encoding]]]:
        for start in range(0, len(texts), TOKENISE_TEXTS):
            yield start, self._tokenizer.encode_batch(list(texts[start : start + TOKENISE_TEXTS]))

    def _run(self, token_lists: list[list[int]]) -> Vectors:
        shape = (len(token_lists), max(map(len, token_lists)))
        ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, tokens in enumerate(token_lists):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:  # the published ONNX file has it, ours has not
            feed["token_type_ids"] = np.zeros(shape, dtype=np.int64)
        # One run at a time: it uses every cpu anyway, and the memory of several would add up.
        with self._one_run:
            (states,) = self._session.run(["last_hidden_state"], feed)
        return pool(states, mask)


def runs_of(lengths: Sequence[int], run_tokens: int = RUN_TOKENS) -> Iterator[list[int]]:
    """Split texts into runs of like length, so that little is padded.

    Args:
        lengths: tokens of each text.
        run_tokens: upper bound of texts x longest text in a run; a single text may exceed it.

    Yields:
        Indices of the texts of one run; together every index once.
    """
    run: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if run and (len(run) + 1) * lengths[index] > run_tokens:
            yield run
            run = []
        run.append(index)
    if run:
        yield run


def pool(states: npt.NDArray[np.float32], mask: npt.NDArray[np.int64]) -> Vectors:
    """Mean of the tokens' states [texts, tokens, hidden] where `mask` [texts, tokens] is 1, at unit length."""
    weights = mask.astype(np.float32)
    # a batched matrix product: no copy of the states
    sums = np.matmul(weights[:, None, :], states)[:, 0, :]
    means = sums / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    unit: Vectors = (means / np.maximum(norms, _SMALLEST_NORM)).astype(np.float32)
    return unit
