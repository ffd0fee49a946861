"""Names of the files in the gateway's volume. All of them are there before the gateway starts."""

from __future__ import annotations

CONFIGURATION = "haproxy.cfg"
ENDPOINTS = "endpoints.map"
METHODS = "methods.map"
OWNERS = "collections.lua"
# Secret, or about secrets.
TOKENS = "tokens.map"
REACHES = "reaches.map"
INNER_HASHES = "inner-hashes.map"
INNER_CREDENTIAL = "inner-credential.map"
CERTIFICATE = "certificate.pem"
AUTHORITY = "authority.pem"
