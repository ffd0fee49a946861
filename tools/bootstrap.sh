#!/bin/sh
# Makes the checkout's Python environment (.venv) from the lock file. `bootstrap.sh dev` adds what tests and lint need,
# `bootstrap.sh bench` also what the figures of benchmarks need.
# Needs a POSIX shell and Python 3.11 to 3.13; uv is taken from PATH, or from the Python package index.
# Proxies and certificates: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE (or PIP_CERT, REQUESTS_CA_BUNDLE), UV_*, PIP_*.
set -eu

UV_VERSION=0.13.9
checkout=$(cd "$(dirname "$0")/.." && pwd)
cache=${CORTEX_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cortex}
venv=$checkout/.venv
mode=${1:-run}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Everything that decides what is installed. A finished `bench` environment does for `dev`, both do for `run`.
cd "$checkout"
wanted=$(cat uv.lock pyproject.toml ./*/pyproject.toml images/*/pyproject.toml | cksum | tr ' ' -)
stamp=$venv/.synced
if [ -x "$venv/bin/python" ] && [ -f "$stamp" ]; then
    done_for=$(cat "$stamp")
    case "$mode, $done_for" in
        "run, $wanted "* | "dev, $wanted dev" | *", $wanted bench") exit 0 ;;
    esac
fi

debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    say "installing $* (apt)"
    DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@" >/dev/null
}

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
    for name in python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 && usable "$name"; then
            command -v "$name"
            return
        fi
    done
}

# True if version $1 is at least $2, by numbers.
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$2" ]
}

find_uv() {
    if command -v uv >/dev/null 2>&1 && at_least "$(uv --version | cut -d ' ' -f 2)" "$UV_VERSION"; then
        command -v uv
    elif [ -x "$cache/uv-$UV_VERSION/bin/uv" ]; then
        echo "$cache/uv-$UV_VERSION/bin/uv"
    fi
}

# A company's certificates: each program has its own variable; what one names, all get.
bundle=${SSL_CERT_FILE:-${PIP_CERT:-${REQUESTS_CA_BUNDLE:-${CURL_CA_BUNDLE:-}}}}
if [ -n "$bundle" ]; then
    export SSL_CERT_FILE="$bundle" PIP_CERT="${PIP_CERT:-$bundle}"
else
    # The system's own store, where administrators put theirs; pip and uv would look only into their own.
    for store in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        if [ -s "$store" ]; then
            export PIP_CERT="$store" UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
            break
        fi
    done
    if [ "$(uname)" = Darwin ]; then export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"; fi
fi

python=$(find_python)
if [ -z "$python" ] && debian_root; then
    apt_install python3 python3-venv || true
    python=$(find_python)
fi
uv=$(find_uv)
if [ -z "$uv" ]; then
    [ -n "$python" ] || die "Python 3.11, 3.12 or 3.13 is needed; install one (or uv $UV_VERSION, which brings its own) and try again"
    say "fetching uv $UV_VERSION"
    fresh=$cache/.uv-$UV_VERSION.$$
    trap 'rm -rf "$fresh"' EXIT
    mkdir -p "$cache"
    if ! "$python" -m venv "$fresh" >/dev/null 2>&1; then
        rm -rf "$fresh"
        # Debian ships venv apart from Python.
        if debian_root; then apt_install "python3-venv"; fi
        "$python" -m venv "$fresh" >/dev/null 2>&1 ||
            die "\`$python -m venv\` does not work; install it (Debian: apt-get install python3-venv), or put uv $UV_VERSION on PATH"
    fi
    "$fresh/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/wheels/uv.txt ||
        die "uv $UV_VERSION could not be fetched from the Python package index; behind a proxy set HTTPS_PROXY, with a company CA set SSL_CERT_FILE, with an own index set PIP_INDEX_URL"
    mkdir -p "$cache/uv-$UV_VERSION/bin"
    mv "$fresh/bin/uv" "$cache/uv-$UV_VERSION/bin/uv"
    uv=$cache/uv-$UV_VERSION/bin/uv
fi

# An environment that works keeps its Python.
if ! { [ -x "$venv/bin/python" ] && usable "$venv/bin/python"; } && [ -n "$python" ]; then
    export UV_PYTHON="$python"
fi
case "$mode" in
    bench) set -- --all-packages --all-groups ;;
    dev) set -- --all-packages --all-groups --no-group bench ;;
    *) set -- --no-dev ;;
esac
unset VIRTUAL_ENV
"$uv" sync --quiet --frozen --inexact "$@" ||
    die "the Python environment could not be made; behind a proxy set HTTPS_PROXY, with a company CA set SSL_CERT_FILE, with an own index set UV_DEFAULT_INDEX"
echo "$wanted $mode" >"$stamp"
