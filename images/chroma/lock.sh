#!/bin/sh
# Writes the list that the image is installed from, out of the API's (images/api/lock.sh, which comes first):
#   sh images/chroma/lock.sh [FOLDER]        (FOLDER: where to write; default: beside this file)
# Of Chroma only the wheel itself, of whose requirements the Rust binding needs none, and what the guard needs.
set -eu
here=$(dirname "$0")
awk '
  /^[a-z]/ { wanted = $0 ~ /^(chromadb|prometheus-client|psutil)==/ }
  wanted
' "$here/../api/requirements.lock" >"${1:-$here}/requirements.lock"
