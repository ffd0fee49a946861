"""The whole configuration of HAProxy as text, and every file beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files as resources

from infra.gateway import base, edge, files, inner_door, native, store_door, table, upstreams
from infra.gateway.gateway import Gateway, StoreDoor
from infra.gateway.tokens import GatewayToken, hashed, reach_map, token_map


def configuration(gateway: Gateway) -> str:
    """`haproxy.cfg`."""
    sections = [
        ["# Made by infra.gateway; changes here are lost."],
        [*base.process(gateway)],
        [*base.defaults(gateway)],
        [*base.names(gateway)],
        *base.tables(),
        *base.metrics(gateway),
        *_doors(gateway),
        *upstreams.sections(gateway),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _doors(gateway: Gateway) -> Iterator[list[str]]:
    if isinstance(gateway.topology, StoreDoor):
        yield store_door.section(gateway)
        return
    yield edge.section(gateway)
    if gateway.has_chroma:
        yield inner_door.section(gateway)


def public_files(gateway: Gateway) -> Mapping[str, str]:
    """Name → content of the files that hold no secret."""
    of_door = isinstance(gateway.topology, StoreDoor)
    listed = native.ENDPOINTS if of_door else table.endpoints(with_chroma=gateway.has_chroma)
    made = {
        files.CONFIGURATION: configuration(gateway),
        files.ENDPOINTS: table.endpoint_map(listed),
        files.METHODS: table.method_map(listed),
    }
    if gateway.has_chroma:
        made[files.OWNERS] = resources("infra.gateway").joinpath(files.OWNERS).read_text(encoding="utf-8")
    return made


def secret_files(
    gateway: Gateway,
    tokens: Sequence[GatewayToken],
    inner_credential: str,
    certificate: str,
    *,
    former_credentials: Sequence[str] = (),
    authority: str | None = None,
) -> Mapping[str, str]:
    """Name → content of the files that hold secrets, or tell about them.

    Args:
        gateway: The gateway.
        tokens: Whom to let in.
        inner_credential: What the gateway shows to the API, and the API replicas to the gateway.
        certificate: PEM of the certificate, those above it, and its key.
        former_credentials: Inner credentials that replicas may still show during a rotation.
        authority: PEM of the authority that signs the store door's certificate, where Chroma is on another host.

    Raises:
        ValueError: A token's name or limits cannot be used; the inner credential is not one word.
    """
    hashes = _hashes((inner_credential, *former_credentials))
    made = {
        files.TOKENS: token_map(tokens),
        # Docker takes no empty file.
        files.REACHES: reach_map(tokens) or "# no token is limited\n",
        files.INNER_CREDENTIAL: f"credential {inner_credential}\n",
        files.CERTIFICATE: certificate,
    }
    if gateway.has_chroma:
        made[files.INNER_HASHES] = hashes
    if gateway.far is not None:
        if authority is None:
            raise ValueError("the way to another host needs the authority's certificate")
        made[files.AUTHORITY] = authority
    return made


def door_files(credentials: Sequence[str], certificate: str) -> Mapping[str, str]:
    """Name → content of a store door's files that hold secrets, or tell about them.

    Args:
        credentials: Inner credentials that the gateway may show.
        certificate: PEM of the certificate, and its key.

    Raises:
        ValueError: A credential is not one word.
    """
    return {files.INNER_HASHES: _hashes(credentials), files.CERTIFICATE: certificate}


def _hashes(credentials: Sequence[str]) -> str:
    for credential in credentials:
        if not credential or not credential.isascii() or any(each.isspace() for each in credential):
            raise ValueError("the inner credential must be one word of ASCII characters")
    return "".join(f"{hashed(each)} api\n" for each in dict.fromkeys(credentials))
