#!/bin/sh
# pip of the build's own environment. Takes the build secrets, if given: `ca` (certificates to trust) and `pip` (a
# pip.conf with an index and its credentials). Nothing of them reaches the image.
set -eu
[ -f /run/secrets/ca ] && export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca
[ -f /run/secrets/pip ] && export PIP_CONFIG_FILE=/run/secrets/pip
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
exec /build/venv/bin/python -m pip "$@"
