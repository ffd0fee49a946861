"""`python3 -m chroma_server CONFIG`: Chroma's server, out of the Rust binding alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import chromadb_rust_bindings


def main(arguments: Sequence[str]) -> None:
    """Serve until told to stop; SIGTERM is the binding's own to handle."""
    (config,) = arguments
    # Kubernetes gives a pod beside a Service named `chroma` CHROMA_PORT=tcp://…, on which the server panics.
    if not os.environ.get("CHROMA_PORT", "0").isdecimal():
        del os.environ["CHROMA_PORT"]
    chromadb_rust_bindings.cli(["chroma", "run", config])


if __name__ == "__main__":
    main(sys.argv[1:])
