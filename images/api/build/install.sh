#!/bin/sh
# install.sh FOLDER REQUIREMENTS…: install pinned wheels into FOLDER with uv, which is fetched first if the image has
# none. Build secrets, if given: `ca` (certificates to trust) and `index` (an index' URL with its credentials).
set -eu
[ -f /run/secrets/ca ] && export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca
[ -f /run/secrets/index ] && PIP_INDEX_URL=$(cat /run/secrets/index)
if [ -n "${PIP_INDEX_URL:-}" ]; then export PIP_INDEX_URL UV_DEFAULT_INDEX="$PIP_INDEX_URL"; else unset PIP_INDEX_URL; fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_CONFIG=1 UV_CACHE_DIR=/build/cache PATH="$PATH:/build/uv/bin"
if ! command -v uv >/dev/null; then
  python3 -m pip install -q --no-deps --require-hashes --target /build/uv -r /build/tools/uv.txt
fi
folder=$1
shift
exec uv pip install -q --python python3 --no-deps --require-hashes --only-binary :all: --target "$folder" "$@"
