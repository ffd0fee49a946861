#!/bin/sh
# app.sh PART…: build members of the workspace, whose sources are in /build/PART, into /opt/cortex/app, and compile all of it.
set -eu
for part; do
  cd "/build/${part}"
  PYTHONPATH=/build/hatchling python3 -m hatchling build -t wheel -d /build/wheels
done
for wheel in /build/wheels/*.whl; do python3 -m zipfile -e "${wheel}" /opt/cortex/app; done
python3 -m compileall -q --invalidation-mode unchecked-hash /opt/cortex/app
