"""A name server that answers with the addresses it is told, as Docker's does for a network's aliases."""

from __future__ import annotations

import socket
import struct
import threading

_A, _IN, _NX = 1, 1, 3


class Names:
    """The server. `addresses` may be changed at any time; a name without any does not exist."""

    def __init__(self, addresses: dict[str, list[str]]) -> None:
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close."""
        address = self._socket.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", address)
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, caller = self._socket.recvfrom(4096)
            if not query:
                return
            self._socket.sendto(self._answer(query), caller)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += length + 1
        kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
        question = query[12 : at + 5]
        known = self.addresses.get(".".join(labels).lower(), [])
        found = known if kind == _A else []
        # A name that exists and has no record of this kind is no error.
        flags = 0x8180 | (0 if known else _NX)
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0)
        records = b"".join(
            struct.pack(">HHHIH", 0xC00C, _A, _IN, 1, 4) + socket.inet_aton(address) for address in found
        )
        return head + question + records
