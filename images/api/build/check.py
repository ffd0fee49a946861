"""Run in the finished image, at build time: does everything load there that the process needs?"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import cortex_api.app
import cortex_api.embedder
import cortex_api.parts
import cortex_api.server
import cortex_api.store_opening
import healthcheck.guard
import healthcheck.probe
from cortex_api import chroma_library

chroma_library.chroma()
probe, guard = healthcheck.probe.main, healthcheck.guard.main  # loaded with what the image has
identity = cortex_api.embedder.OnnxEmbedder(Path("/opt/cortex/model"), threads=1).identity
unwanted = [name for name in ("pip", "kubernetes", "grpc", "pytest") if importlib.util.find_spec(name)]
if unwanted:
    sys.exit(f"the image should not hold {', '.join(unwanted)}")
print(f"image: {sys.version.split()[0]}, {identity}")  # noqa: T201 -- a build step's way to speak
