"""When the certificate ends that a server shows: read out of its file, as a client reads it."""

from __future__ import annotations

import ssl

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL: one that has ended is read as well. The ssl module has no name for it.
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)


def ends_wall_s(path: str) -> float:
    """Last moment of the first certificate in a file, seconds since 1970.

    The two sides of a TLS connection in memory: the ssl module decodes what a client has verified, and nothing else.

    Args:
        path: PEM of certificate, chain and key.

    Raises:
        OSError: the file cannot be read, or holds no certificate with its key (`ssl.SSLError`).
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(path)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    return ssl.cert_time_to_seconds(str(_shown(server, client)["notAfter"]))


def _shown(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, object]:
    """What the client sees of the server's certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    done: set[int] = set()
    while len(done) < len(sides):
        for number, side in enumerate(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            done.add(number)
    certificate = sides[0].getpeercert()
    if not certificate:
        raise ssl.SSLError("no certificate was shown")
    return dict(certificate)
