"""`python -m cortex_model.compare FOLDER [--texts 1000]`: how far int8 and fp16 are from fp32, on real texts.

Needs the API's own embedder on the path (the project's environment has it), so that what is compared is what runs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cortex_api.embedder import OnnxEmbedder
from cortex_api.model import Vectors

from cortex_model.bundle import write_bundle
from cortex_model.sample import texts
from cortex_model.tensors import Precision
from cortex_model.weights import fetch


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cosines between the vectors of the same texts."""

    mean: float
    first_percentile: float
    least: float


def agreement(left: Vectors, right: Vectors) -> Agreement:
    """Agreement of two sets of unit vectors [texts, dimensions]."""
    cosines = np.sum(left.astype(np.float64) * right, axis=1)
    return Agreement(float(cosines.mean()), float(np.percentile(cosines, 1)), float(cosines.min()))


def main() -> None:
    """Build all precisions in FOLDER and print their agreement with fp32."""
    parser = argparse.ArgumentParser(prog="python -m cortex_model.compare", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=1_000)
    arguments = parser.parse_args()
    weights = fetch(arguments.folder / "downloads")
    sample = texts(arguments.texts)
    vectors = {}
    for precision in Precision:
        folder = arguments.folder / precision
        write_bundle(weights, precision, folder)
        vectors[precision] = OnnxEmbedder(folder, threads=2).embed(sample).vectors
    characters = sum(map(len, sample)) / len(sample)
    print(f"{len(sample)} texts, {characters:.0f} characters on average")  # noqa: T201 -- what it is for
    for precision in (Precision.INT8, Precision.FP16):
        got = agreement(vectors[precision], vectors[Precision.FP32])
        line = f"{precision}: cosine to fp32 mean {got.mean:.5f}, 1st percentile {got.first_percentile:.5f}"
        print(f"{line}, least {got.least:.5f}")  # noqa: T201


if __name__ == "__main__":
    main()
