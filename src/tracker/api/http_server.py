"""An HTTP server that reports its address, and stops without cutting off calls."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from tracker.api.http_protocol import Connections, HttpConnection, HttpLimits
from tracker.api.wires import accept, close, listen

if TYPE_CHECKING:
    import ssl

    from tracker.api.calls.answers import UnsentAnswers
    from tracker.api.http_protocol import HttpApp

_LAST_REQUESTS = 1.0
"""Seconds for which a stopping server still answers requests on open connections."""
_ABORTED = 1.0
"""Seconds that aborted connections may take to end, which takes a turn of the event loop."""


class HttpServer:
    """Serves HTTP/1.1 on one address."""

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        app: HttpApp,
        host: str,
        port: int,
        unsent: UnsentAnswers,
        limits: HttpLimits | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare a server; port 0 means any free one, host `::` every interface."""
        self._tls = tls
        self._connections = Connections(app, limits or HttpLimits(), unsent)
        self._listening: list[asyncio.Server] = []
        self.bound: tuple[str, int] = (host, port)
        """Address that the server listens on, once it has started."""

    async def start(self) -> None:
        """Listen, and return when connections are accepted.

        Raises:
            OSError: The address is not available.
        """
        listeners = listen(*self.bound)
        self.bound = listeners[0].getsockname()[:2]
        self._listening = await accept(listeners, partial(HttpConnection, self._connections), self._tls)

    async def stop(self, grace: float) -> None:
        """Accept no more connections, finish calls for up to `grace` seconds, then cancel the rest.

        A connection that looks idle may have a request on its way. Each open connection therefore gets one
        more answer, marked as its last, before the idle ones are closed.
        """
        connections, loop = self._connections, asyncio.get_running_loop()
        deadline = loop.time() + grace
        for server in self._listening:
            server.close()
        connections.draining = True
        for connection in connections.open:
            connection.drain()
        await connections.open.wait_for_the_end(min(deadline, loop.time() + _LAST_REQUESTS))
        connections.outbox.flush()
        for connection in list(connections.open):
            if connection.idle:
                close(connection.transport)
        await connections.open.wait_for_the_end(deadline)
        for connection in list(connections.open):
            connection.cancel()
        if connections.cancelled:
            await asyncio.wait(connections.cancelled)
        connections.outbox.flush()
        for connection in list(connections.open):
            connection.transport.abort()
        await connections.open.wait_for_the_end(loop.time() + _ABORTED)
