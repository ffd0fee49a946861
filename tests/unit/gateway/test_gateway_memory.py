"""Memory of the gateway follows what it allows."""

from __future__ import annotations

import dataclasses

from infra.gateway.gateway import ClientServer, Gateway, Guard, Replicas, Server, SingleNode
from infra.gateway.limits import MIB, Allowance, Buffers
from infra.gateway.memory import BASE_BYTES, memory_bytes

GUARD = Guard("chroma", 8081)
ONE = Gateway(SingleNode(Server("api", 8080, 16), GUARD))
TWO = Gateway(ClientServer(Replicas("api", 8080, 16), Server("chroma", 8000, 4), GUARD))


def test_more_that_can_wait_needs_more():
    assert BASE_BYTES < memory_bytes(ONE) < memory_bytes(TWO) < 512 * MIB
    longer = dataclasses.replace(ONE, topology=SingleNode(Server("api", 8080, 16, queue=512), GUARD))
    assert memory_bytes(longer) - memory_bytes(ONE) == 3 * 256 * ONE.buffers.bytes_each
    larger = dataclasses.replace(ONE, buffers=Buffers(256 << 10))
    assert memory_bytes(larger) > memory_bytes(ONE)


def test_no_more_requests_than_connections():
    few = dataclasses.replace(TWO, allowance=Allowance(connections=10))
    assert memory_bytes(few) - BASE_BYTES == 10 * (32 << 10) + 3 * 10 * TWO.buffers.bytes_each
