"""What the gateway allows a caller, and how long it lets one wait. Each number stands here once."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request, address or token may take.

    Attributes:
        body_bytes: Largest body; Chroma itself stops at 40 MiB (`max_payload_size_bytes`). A streamed load is exempt.
        header_bytes: All header lines of a request together, the request line too.
        connections: Open connections of all callers together; more wait to be accepted.
        connections_per_address: More are closed at once. Behind a port that Docker publishes, callers on the host
            share one address.
        requests_per_s_per_address: Mean over `RATE_WINDOW_S`; more are answered with 429.
        requests_per_s_per_token: As before, all holders of a token together.
        guesses_per_address: Unknown tokens within `RATE_WINDOW_S` after which an address gets 429 instead of 401.
    """

    body_bytes: int = 40 * MIB
    header_bytes: int = 16 * KIB
    connections: int = 1_000
    connections_per_address: int = 500
    requests_per_s_per_address: int = 2_000
    requests_per_s_per_token: int = 1_000
    guesses_per_address: int = 50


RATE_WINDOW_S = 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the gateway waits, in seconds.

    Attributes:
        request_s: For the header of a request, and for a body up to the size of a buffer, however slowly it comes.
        sender_s: For the next bytes of a larger body, and for a caller to take the next bytes of an answer.
        idle_s: For the next request on an open connection.
        queue_s: In the queue in front of a server.
        restart_s: For a server that refuses connections because it is being restarted.
        answer_s: For the first bytes of an answer, and between two pieces of it. An index that is loaded or rebuilt at
            its first use answers late: 100,000 x 384 take about two minutes (measured: 20,000 in 20 s).
        drain_s: For requests that run while the configuration is loaded anew; then the old process ends.
    """

    request_s: int = 10
    sender_s: int = 30
    idle_s: int = 30
    queue_s: int = 30
    restart_s: int = 30
    answer_s: int = 300
    drain_s: int = 330


@dataclass(frozen=True, slots=True)
class Buffers:
    """Memory for what is on the way.

    Attributes:
        bytes_each: What is held of a request so that it can be sent again when its server is killed. A connection
            in use has two or three of them. Larger ones cost time in every request: HAProxy keeps half a megabyte of
            them ready for each thread (measured: 256 KiB, 0.2 ms).
    """

    bytes_each: int = 128 * KIB

    @property
    def kept_bytes(self) -> int:
        """The largest request that can be sent again, header lines included."""
        return self.bytes_each - RESERVED_BYTES


# HAProxy keeps this much of a buffer free to rewrite headers (tune.maxrewrite).
RESERVED_BYTES = 16 * KIB
