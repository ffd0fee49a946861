"""Which certificates image builds must trust besides the public ones: a company's, as the usual variables name it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLES = ("CORTEX_BUILD_CA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


def bundle(environ: Mapping[str, str] | None = None) -> Path | None:
    """The PEM bundle that the first set variable names, or None; a name without a file does not count."""
    given = os.environ if environ is None else environ
    for name in VARIABLES:
        value = given.get(name)
        if value and Path(value).is_file():
            return Path(value)
    return None
