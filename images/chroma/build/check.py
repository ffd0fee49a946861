"""Run in the finished image, at build time: does everything load there that the processes need?"""

from __future__ import annotations

import importlib.util
import sys

import chroma_server
import chromadb_rust_bindings
import healthcheck.guard
import healthcheck.probe
import store.cli

needed = chroma_server.main, chromadb_rust_bindings.cli, healthcheck.guard.main, healthcheck.probe.main, store.cli.main
unwanted = [name for name in ("chromadb", "numpy", "onnxruntime", "pip") if importlib.util.find_spec(name)]
if unwanted:
    sys.exit(f"the image should not hold {', '.join(unwanted)}")
print(f"image: {sys.version.split()[0]}, {len(needed)} programs")  # noqa: T201 -- a build step's way to speak
