"""An SSH server of the test's own: own host key, own user key, on loopback; what it runs has its own environment."""

from __future__ import annotations

import asyncio
import shlex
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh

from tests.deploy.deployment import free_port

USER = "deploy"
LIMIT_S = 30
CHUNK_BYTES = 1 << 16


class SshServer:
    """The server.

    Attributes:
        url: As Docker has it.
        options: Arguments with which ssh knows the server, and is let in.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        user_key = asyncssh.generate_private_key("ssh-ed25519")
        self._authorized = folder / "authorized_keys"
        self._authorized.write_bytes(user_key.export_public_key())
        identity, known = folder / "identity", folder / "known_hosts"
        user_key.write_private_key(identity)
        identity.chmod(0o600)
        self._port = free_port()
        known.write_text(f"[127.0.0.1]:{self._port} {self._host_key.export_public_key().decode()}")
        self.url = f"ssh://{USER}@127.0.0.1:{self._port}"
        self.options = ["-F", "none", "-i", str(identity)]
        for option in (
            f"UserKnownHostsFile={known}",
            "StrictHostKeyChecking=yes",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
        ):
            self.options += ["-o", option]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listener: asyncssh.SSHAcceptor | None = None
        self._running: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Start it; it answers at once."""
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(LIMIT_S)

    def stop(self) -> None:
        """End it with all its connections."""
        if self._listener is not None:
            asyncio.run_coroutine_threadsafe(self._close(self._listener), self._loop).result(LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            self._port,
            server_host_keys=[self._host_key],
            authorized_client_keys=str(self._authorized),
            process_factory=self._run,
            encoding=None,
        )

    async def _close(self, listener: asyncssh.SSHAcceptor) -> None:
        listener.close()
        running = [*self._running]
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        pipe = asyncio.subprocess.PIPE
        # Without a shell between, so that an end reaches whom it is meant for.
        child = await asyncio.create_subprocess_exec(
            *shlex.split(process.command or "true"), stdin=pipe, stdout=pipe, stderr=pipe, env=self._environment
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        given = asyncio.create_task(_pump(process.stdin, child.stdin))
        try:
            await asyncio.gather(_pump(child.stdout, process.stdout), _pump(child.stderr, process.stderr))
            process.exit(await child.wait())
        finally:
            given.cancel()
            if child.returncode is None:
                child.kill()
                await child.wait()
            self._running.discard(task)


async def _pump(source: Any, target: Any) -> None:
    """Copy until the end of the source, or until nobody reads any more."""
    with suppress(OSError, asyncssh.Error):
        while data := await source.read(CHUNK_BYTES):
            target.write(data)
            await target.drain()
        target.write_eof()


@contextmanager
def ssh_server(folder: Path, environment: Mapping[str, str]) -> Iterator[SshServer]:
    """A running server; `folder` is for its keys."""
    server = SshServer(folder, environment)
    server.start()
    try:
        yield server
    finally:
        server.stop()
