#!/bin/sh
# Writes the list that the image is installed from: the Chroma wheel of the API's list (images/api/lock.sh, which comes
# first), and out of the project's uv.lock what the guard and the backups need.
#   sh images/backup/lock.sh [FOLDER]        (FOLDER: where to write; default: beside this file)
set -eu
here=$(dirname "$0")
list="${1:-$here}/requirements.lock"
awk '/^[a-z]/ { wanted = /^chromadb==/ } wanted' "$here/../api/requirements.lock" >"$list"
uv --project "$here/../../backup" export --quiet --frozen --package cortex-backup --no-emit-workspace --no-annotate \
  --no-header --no-default-groups --format requirements-txt >>"$list"
