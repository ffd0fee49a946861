#!/bin/sh
# Writes the list that the image is installed from, out of the project's uv.lock: what the guard needs.
#   sh images/gateway/lock.sh [FOLDER]        (FOLDER: where to write; default: beside this file)
set -eu
here=$(dirname "$0")
exec uv --project "$here/../../healthcheck" export --quiet --frozen --package cortex-healthcheck --no-emit-workspace \
  --no-annotate --no-header --no-default-groups --output-file "${1:-$here}/requirements.lock"
