"""Run in the finished image, at build time, with its form: does everything load there that the process needs?"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import cortex_api.app
import cortex_api.embedder
import cortex_api.parts
import cortex_api.server
import healthcheck.guard
import healthcheck.probe
from cortex_api import chroma_library

chroma_library.chroma()
probe, guard = healthcheck.probe.main, healthcheck.guard.main  # loaded with what the image has
identity = cortex_api.embedder.OnnxEmbedder(Path("/opt/cortex/model"), threads=1).identity
form = sys.argv[1]
if form == "remote":
    import cortex_api.remote_opening
else:
    import cortex_api.store_opening
others = {"remote": ("chromadb_rust_bindings",), "embedded": ()}[form]
unwanted = [name for name in ("pip", "kubernetes", "grpc", "pytest", *others) if importlib.util.find_spec(name)]
if unwanted:
    sys.exit(f"the image should not hold {', '.join(unwanted)}")
print(f"image: {form}, {sys.version.split()[0]}, {identity}")  # noqa: T201 -- a build step's way to speak
