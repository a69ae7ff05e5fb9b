"""The route for agents, `/mcp`: MCP's Streamable HTTP, without sessions.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports has the transport. The earlier
revisions, which begin with a handshake, are served without a session id too, as they allow: no tool sends
anything by itself. So there is nothing to listen to or to end, GET and DELETE are 405, and any server can
answer any request.
"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import HttpRoute
from tracker.api.wires import internal_error
from tracker.errors import Reason, TrackerError
from tracker.mcp.reads import READS
from tracker.pb.options import method_of, only_reads
from tracker.permissions import Permission
from tracker.services.context import permission_required
from tracker.services.narrowing import require_change

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mcp.server.lowlevel import Server as McpServer
    from protobuf import Message
    from structlog.typing import FilteringBoundLogger

    from tracker.api.routes import HttpRequest
    from tracker.api.rpcs import Rpcs
    from tracker.mcp.tools import Tool
    from tracker.services.context import Call
    from tracker.services.narrowing import Record

M = TypeVar("M", bound="Message")

PATH = "/mcp"
_SERVER = "tracker.mcp"
"""Key of the ASGI scope of a request: what its tools ask."""
_MAX_BODY = 1024 * 1024


class AgentRoute:
    """Answers requests of agents with the tools that their caller may use."""

    def __init__(self, rpcs: Rpcs, log: FilteringBoundLogger) -> None:
        self._rpcs = rpcs
        self._log = log
        self._server: McpServer[Any] | None = None

    def routes(self) -> list[HttpRoute]:
        """Return the route."""
        return [HttpRoute("POST", PATH, self._answer, None, Limits(body_bytes=_MAX_BODY))]

    async def _answer(self, request: HttpRequest, call: Call) -> HttpResponse:
        asked = _Asked(self._rpcs, call, self._log)
        if all(map(asked.refusal, READS)):
            raise permission_required(call.principal, Permission.EVENT_READ)
        server = self._server
        if server is None:
            if find_spec("mcp") is None:
                raise _not_installed()
            # When an agent first calls: it takes half a second, and 55 MB.
            server = self._server = await asyncio.to_thread(_make_server)
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415 - the same

        manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
        exchange = _Exchange(request.body)
        sent = call.headers.items()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": call.verb,
            "path": PATH,
            "query_string": b"",
            "headers": [(name.encode("latin-1"), text.encode("latin-1")) for name, text in sent],
            _SERVER: asked,
        }
        async with manager.run():
            await manager.handle_request(scope, exchange.receive, exchange.send)
        return exchange.response()


def _not_installed() -> TrackerError:
    return TrackerError(
        Reason.UNKNOWN_PATH,
        "this server lacks what agents need: install the extra, pip install 'tracker-server[mcp]'",
    )


def _make_server() -> McpServer[Any]:
    from tracker.mcp.server import make_server  # noqa: PLC0415 - an extra, and slow to load

    return make_server(lambda context: cast("Any", context.request).scope[_SERVER])


class _Asked:
    """The RPCs of this server, with the rights of the caller of the route."""

    def __init__(self, rpcs: Rpcs, call: Call, log: FilteringBoundLogger) -> None:
        self._rpcs = rpcs
        self._call = call
        self._log = log

    def refusal(self, tool: Tool) -> TrackerError | None:
        needed, principal = Permission(tool.permission), self._call.principal
        return None if principal.may(needed) else permission_required(principal, needed)

    async def ask(self, request: Message, answer: type[M]) -> M:
        method = method_of(request.desc())
        try:
            if not only_reads(method):
                return await self._rpcs.change(request, answer, self._call)
            self._call.did = ("call", {"rpc": method.name})
            return await self._rpcs.ask(request, answer, self._call)
        except TrackerError:
            raise
        except Exception as defect:
            self._log.exception("defect", request_id=self._call.request_id, method=method.name)
            raise internal_error(self._call.request_id) from defect

    async def require(self, permission: str, record: Message) -> None:
        require_change(self._call, Permission(permission), cast("Record", record))


class _Exchange:
    """One request and its answer, as ASGI has them: https://asgi.readthedocs.io/en/latest/specs/www.html."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []

    async def receive(self) -> dict[str, Any]:
        """Return the whole body; a second call waits, until the call ends or is cancelled."""
        if self._body is None:
            await asyncio.Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
                if name.lower() != b"content-length"
            ]
        else:
            self._parts.append(message.get("body", b""))

    def response(self) -> HttpResponse:
        """Return the answer."""
        return HttpResponse(b"".join(self._parts), self._headers, self._status)
