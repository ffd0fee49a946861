"""A slow way to a target: a TCP proxy on loopback that lets so many bytes a second pass in each direction."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

from tests.backup.far import Far

_CHUNK_BYTES = 16_384
_LIMIT_S = 30


class Slow:
    """A far target behind a narrow line. Its width can be changed at any time."""

    def __init__(self, far: Far) -> None:
        """Args: far: S3 or SFTP; it answers already."""
        self.bytes_per_s = 0
        """Of all connections together; 0 for as fast as it goes."""
        self._told = far.settings()
        self._kind = str(self._told["kind"])
        self._port = int(self._told["port"]) if self._kind == "sftp" else int(self._told["endpoint"].rpartition(":")[2])
        self._loop = asyncio.new_event_loop()
        self._turns = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_LIMIT_S)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def settings(self) -> dict[str, Any]:
        """The target's, by this way."""
        if self._kind == "sftp":
            return {**self._told, "port": self.port}
        return {**self._told, "endpoint": f"https://127.0.0.1:{self.port}"}

    def end(self) -> None:
        """Close it."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accepted, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, here = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass_on(reader, here), self._pass_on(there, writer))

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(_CHUNK_BYTES):
                async with self._turns:
                    if self.bytes_per_s:
                        await asyncio.sleep(len(chunk) / self.bytes_per_s)
                sink.write(chunk)
                await sink.drain()
        with contextlib.suppress(OSError):
            sink.close()
