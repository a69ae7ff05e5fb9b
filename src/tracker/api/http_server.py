"""An HTTP server that reports its address, and stops without cutting off calls."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

import uvicorn

from tracker.api.http_protocol import HttpConfig, HttpLimits
from tracker.api.wires import listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from starlette.types import ASGIApp

    from tracker.api.calls.answers import UnsentAnswers
    from tracker.api.http_protocol import HttpConnection

_ACCEPTED_AT_ONCE = 8
"""Connections accepted in a turn of the event loop, which accepts one for each socket that listens."""
_LAST_REQUESTS = 1.0
"""Seconds for which a stopping server still answers requests on open connections."""
_ABORTED = 1.0
"""Seconds that aborted connections may take to end, which takes a turn of the event loop."""


class HttpServer:
    """Serves an ASGI application on one address."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, unsent: UnsentAnswers, limits: HttpLimits | None = None
    ) -> None:
        """Prepare a server; port 0 means any free one, host `::` every interface."""
        self._host = host
        self._port = port
        self._server = _Server(HttpConfig(app, limits or HttpLimits(), unsent))
        self._serving: asyncio.Task[None] | None = None
        self.bound: tuple[str, int] = (host, port)
        """Address that the server listens on, once it has started."""

    async def start(self) -> None:
        """Listen, and return when connections are accepted.

        Raises:
            OSError: The address is not available.
        """
        listener = listen(self._host, self._port)
        self.bound = listener.getsockname()[:2]
        listeners = [listener, *(listener.dup() for _ in range(_ACCEPTED_AT_ONCE - 1))]
        self._serving = asyncio.create_task(self._server.serve(listeners))
        started = asyncio.create_task(self._server.accepting.wait())
        await asyncio.wait((started, self._serving), return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            started.cancel()
            await self._serving

    async def stop(self, grace: float) -> None:
        """Accept no more connections, finish calls for up to `grace` seconds, then cancel the rest."""
        if self._serving is None:
            return
        self._server.request_stop(grace)
        await self._serving


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, and with a shutdown of its own."""

    def __init__(self, config: HttpConfig) -> None:
        super().__init__(config)
        self._http = config
        self._stopping = asyncio.Event()
        self._grace = 0.0
        self.accepting = asyncio.Event()
        """Set once connections are accepted."""

    def request_stop(self, grace: float) -> None:
        """End `serve`, after up to `grace` seconds for calls under way."""
        self._grace = grace
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and set `accepting`."""
        await super().startup(sockets)
        self.accepting.set()

    async def main_loop(self) -> None:
        """Update the `Date` of answers until the server stops."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: answer requests that are on their way, then wait for calls under way.

        A connection that looks idle may have a request on its way. Each open connection therefore
        gets one more answer, marked as its last, before the idle ones are closed.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        self._http.draining = True
        for connection in self._connections():
            connection.drain()
        await self._wait_for_the_end(min(deadline, loop.time() + _LAST_REQUESTS))
        self._http.outbox.flush()
        for connection in self._connections():
            if connection.idle:
                connection.transport.close()
        await self._wait_for_the_end(deadline)
        for task in list(self.server_state.tasks):
            task.cancel()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks)
        self._http.outbox.flush()
        for connection in self._connections():
            connection.transport.abort()
        await self._wait_for_the_end(loop.time() + _ABORTED)

    def _connections(self) -> list[HttpConnection]:
        return cast("list[HttpConnection]", list(self.server_state.connections))

    async def _wait_for_the_end(self, deadline: float) -> None:
        """Wait until every connection has ended, up to a time of the loop's clock."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self.server_state.connections:
                    self._http.connection_ended.clear()
                    await self._http.connection_ended.wait()
