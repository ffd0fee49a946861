"""Run in the finished image, at build time: does everything load and run there that the processes need?"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
import zoneinfo

import chroma_server
import chromadb_rust_bindings
import healthcheck.guard
import healthcheck.probe
import store.cli

import backup

needed = chroma_server.main, chromadb_rust_bindings.cli, healthcheck.guard.main, healthcheck.probe.main, store.cli.main
for module in pkgutil.walk_packages(backup.__path__, "backup."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
if "Europe/Berlin" not in zoneinfo.available_timezones():
    sys.exit("schedules need the time zones")
tools = [
    subprocess.run([tool, "version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")[0]
    for tool in ("litestream", "restic", "rclone")
]
unwanted = [
    name for name in ("chromadb", "cortex_api", "numpy", "onnxruntime", "pip") if importlib.util.find_spec(name)
]
if unwanted:
    sys.exit(f"the image should not hold {', '.join(unwanted)}")
print(f"image: {sys.version.split()[0]}, {len(needed)} programs, {'; '.join(tools)}")  # noqa: T201 -- a build step's way to speak
