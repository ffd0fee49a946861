"""Serving and stopping: after SIGTERM a while as before, then no new work, running requests end, all closes."""

from __future__ import annotations

import asyncio
import signal
from types import FrameType

import uvicorn
from anyio import to_thread
from starlette.types import ASGIApp

from cortex_api.logs import get_logger
from cortex_api.runtime import Runtime

_log = get_logger(__name__)
_POLL_S = 0.05
# Threads beyond the requests that are admitted: health and documentation need none, streams take one at a time.
_SPARE_THREADS = 4


class Server(uvicorn.Server):
    """uvicorn, except that the socket stays open while requests end, so that health can say `stopping`.

    With a store of its own and `start_wait_s` it is closed at once instead: callers then wait for the next process,
    and none is turned away.
    """

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        settings = runtime.settings
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                loop="asyncio",
                lifespan="off",
                ws="none",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
            )
        )
        self._runtime = runtime
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: object = None) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        to_thread.current_default_thread_limiter().total_tokens = self._runtime.load.max_requests + _SPARE_THREADS
        self._runtime.open_in_background(self.stop_now)
        await super().serve(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's signature
        """A signal: begin to stop; a second one ends at once."""
        if self._loop is None or self._draining is not None:
            self.should_exit = self.force_exit = True
            return
        _log.info("stopping", signal=signal.Signals(sig).name, requests=self._runtime.load.requests)
        if self._runtime.settings.start_wait_s > 0 and not self._runtime.settings.is_remote:
            self._refuse_connections()
        lingers = self._runtime.begin_linger()
        if not lingers:
            self._runtime.begin_stop()
        self._draining = self._loop.create_task(self._drain(lingers))

    def _refuse_connections(self) -> None:
        """Listen no more; what is connected goes on. A gateway that waits for a restart keeps who is refused now."""
        for listening in self.servers:
            listening.close()

    def stop_now(self) -> None:
        """End from another thread (the store could not be opened)."""
        self.should_exit = True

    async def _drain(self, lingers: bool) -> None:
        if lingers:
            await asyncio.sleep(self._runtime.settings.stop_linger_s)
            self._runtime.begin_stop()
        deadline = asyncio.get_running_loop().time() + self._runtime.settings.stop_grace_s
        while self._runtime.load.requests and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_POLL_S)
        if self._runtime.load.requests:
            _log.warning("stopping.cut", requests=self._runtime.load.requests)
        self.should_exit = True
