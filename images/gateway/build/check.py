"""Run in the finished image, at build time: is HAProxy what the configuration asks for, and does the guard load?"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import healthcheck.guard
import healthcheck.probe

OLDEST = (2, 6)
FEATURES = ("+LUA", "+OPENSSL", "+PCRE2_JIT", "+PROMEX")

needed = healthcheck.guard.main, healthcheck.probe.main
told = subprocess.run(["haproxy", "-vv"], check=True, stdout=subprocess.PIPE, text=True).stdout
version = re.search(r"version (\d+)\.(\d+)\.\S+", told)
if version is None or (int(version[1]), int(version[2])) < OLDEST:
    sys.exit(f"the gateway needs HAProxy {OLDEST[0]}.{OLDEST[1]} or newer, this is {told.splitlines()[0]}")
if lacking := [feature for feature in FEATURES if feature not in told]:
    sys.exit(f"this HAProxy was built without {', '.join(lacking)}")
if unwanted := [name for name in ("chromadb", "cortex_api", "pip") if importlib.util.find_spec(name)]:
    sys.exit(f"the image should not hold {', '.join(unwanted)}")
print(f"image: haproxy {version[0]}, {len(needed)} programs")  # noqa: T201 -- a build step's way to speak
