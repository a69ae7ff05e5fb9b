"""The gRPC wire: a server of RPCs, health and reflection."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Never

from tracker.api.calls.endpoint import UNKNOWN, Endpoint
from tracker.api.grpc_call import GrpcCall, GrpcLimits, Served
from tracker.api.grpc_methods import GrpcMethod, rpc_method
from tracker.api.grpc_protocol import NOT_GRPC, NOT_POST, peer_name
from tracker.api.grpc_standard import Health, Reflection
from tracker.api.http2 import Http2Connection
from tracker.api.http2_stream import Stream
from tracker.api.wires import REQUEST_ID_HEADER, OpenConnections, accept, listen, request_id_of, timeout_of
from tracker.errors import Reason, TrackerError
from tracker.services.context import Call

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Chain
    from tracker.api.calls.steps import OpenStreams
    from tracker.api.http2_engine import Header
    from tracker.api.http2_stream import StreamOwner

_LAST_WORDS = 0.1
"""Seconds between the notice to clients that the server stops, and the end of streams."""
_CUT_OFF = 1.0
"""Seconds for which calls that are cut off may tell their clients so."""
_FIELD_BYTES = 32
"""What a header counts beside its name and value (RFC 9113, 10.5.1)."""
_CONTENT_TYPE = re.compile(r"application/grpc($|[+;])")


async def _refuse(_request: object, _call: Call) -> Never:
    raise TrackerError(Reason.UNKNOWN_METHOD, "there is no such method")


_UNKNOWN = GrpcMethod(Endpoint(UNKNOWN, _refuse, None), bytes, bytes)
"""What answers unknown methods."""


class GrpcServer:
    """Serves RPCs, health and reflection on one address."""

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        chain: Chain,
        methods: Iterable[Endpoint],
        host: str,
        port: int,
        *,
        streams: OpenStreams,
        log: FilteringBoundLogger,
        limits: GrpcLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare a server; port 0 stands for any that is free, host `::` for every interface."""
        self._limits = limits or GrpcLimits()
        self._tls = tls
        self._chain = chain
        self._methods = tuple(methods)
        self._log = log
        self._host = host
        self._port = port
        self._streams = streams
        self._services = tuple(dict.fromkeys(method.name.partition("/")[0] for method in self._methods))
        self._health = Health(self._services)
        self._listening: list[asyncio.Server] = []
        self._served: dict[str, Served] = {}
        self._unknown = self._serve(_UNKNOWN)
        self._connections = OpenConnections[Http2Connection]()
        self.bound: tuple[str, int] = (host, port)
        """Address that the server listens on, once it has started."""

    async def start(self) -> None:
        """Listen, and return when calls are accepted.

        Raises:
            OSError: The address is not available.
        """
        standard = (*self._health.methods(), *Reflection(self._services).methods())
        for method in (*map(rpc_method, self._methods), *standard):
            self._served[f"/{method.endpoint.name}"] = self._serve(method)

        connect = partial(Http2Connection, self._accept, self._limits, self._connections)
        listeners = listen(self._host, self._port)
        self.bound = listeners[0].getsockname()[:2]
        self._listening = await accept(listeners, connect, self._tls)

    def drain(self) -> None:
        """Report NOT_SERVING from now on, to checks and to watches."""
        self._health.drain()

    async def stop(self, grace: float) -> None:
        """Accept no more, answer what is under way for up to `grace` seconds, then cut off the rest."""
        if not self._listening:
            return
        self.drain()
        for server in self._listening:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in self._connections:
            connection.drain()
        loop.call_later(min(grace, _LAST_WORDS), self._streams.end, _stopping)
        await self._connections.wait_for_the_end(loop.time() + grace)
        for connection in self._connections:
            connection.cut_off()
        await self._connections.wait_for_the_end(loop.time() + _CUT_OFF)
        for connection in self._connections:
            connection.abort()
        await self._connections.wait_for_the_end(loop.time() + _CUT_OFF)

    def _serve(self, method: GrpcMethod) -> Served:
        return Served(method, self._chain.compose(method.endpoint), self._limits, self._log)

    def _accept(self, connection: StreamOwner, stream_id: int, headers: Sequence[Header]) -> Stream:
        """Begin to answer a request."""
        fields: dict[str, str] = {}
        size = 0
        for raw_name, raw_value in headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
            size += len(name) + len(value) + _FIELD_BYTES
        if fields[":method"] != "POST" or not _CONTENT_TYPE.match(fields.get("content-type", "")):
            stream = Stream(connection, stream_id)
            stream.send_headers_alone(NOT_POST if fields[":method"] != "POST" else NOT_GRPC)
            return stream
        refusal = timeout = None
        try:
            timeout = timeout_of(fields.get("grpc-timeout"))
        except TrackerError as error:
            refusal = error
        if size > self._limits.metadata_bytes:
            text = f"the call's metadata is larger than {self._limits.metadata_bytes} bytes"
            refusal = TrackerError(Reason.HEADERS_TOO_LARGE, text)
        request_id = request_id_of(fields.get(REQUEST_ID_HEADER))
        call = Call("grpc", request_id, peer_name(*connection.peer), fields, timeout)
        served = self._served.get(fields.get(":path", ""), self._unknown)
        return GrpcCall(connection, stream_id, served, call, refusal)


def _stopping(_endpoint: Endpoint, _call: Call) -> TrackerError:
    return TrackerError(Reason.DRAINING, "the server is stopping")
