"""Whose certificates are trusted besides the public ones: a company's, as the system or the usual variables say."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

VARIABLES = ("CORTEX_BUILD_CA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


def trust(environ: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """For downloads: the system's store, the public list that Python brings, and the user's bundle."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if own := bundle(environ):
        context.load_verify_locations(own)
    return context


def bundle(environ: Mapping[str, str] | None = None) -> Path | None:
    """The PEM bundle that image builds must trust: the first variable's that names a file, or None."""
    given = os.environ if environ is None else environ
    for name in VARIABLES:
        value = given.get(name)
        if value and Path(value).is_file():
            return Path(value)
    return None
