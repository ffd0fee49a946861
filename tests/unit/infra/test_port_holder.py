"""Who holds a port, from what `docker ps` says."""

from __future__ import annotations

import pytest

from infra.platforms.docker.host import holds


@pytest.mark.parametrize(
    ("published", "address", "taken"),
    [
        ("127.0.0.1:8080->8080/tcp", "127.0.0.1", True),
        ("127.0.0.1:8080->8080/tcp", "127.0.0.2", False),
        ("127.0.0.1:8080->8080/tcp", "0.0.0.0", True),
        ("0.0.0.0:8080->80/tcp, :::8080->80/tcp", "127.0.0.1", True),
        (":::8080->80/tcp", "::1", True),
        ("127.0.0.1:18080->8080/tcp", "127.0.0.1", False),
        ("8080/tcp", "127.0.0.1", False),
        ("127.0.0.1:9000->8080/tcp, 127.0.0.1:8080->9000/tcp", "127.0.0.1", True),
        ("", "127.0.0.1", False),
    ],
)
def test_a_port_is_held_where_addresses_meet(published: str, address: str, taken: bool) -> None:
    assert holds(published, address, 8080) is taken
