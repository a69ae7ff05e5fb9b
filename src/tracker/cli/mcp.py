"""`tracker mcp`: the tools for agents, over standard input and output."""

from __future__ import annotations

import signal
import sys
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tracker.cli.calls import hint
from tracker.cli.credentials import credential_for
from tracker.cli.exits import CommandError
from tracker.cli.options import Server
from tracker.cli.printing import say

if TYPE_CHECKING:
    from protobuf import Message

    from tracker.client.connection import Connection
    from tracker.mcp.tools import Refused, Tool

    M = TypeVar("M", bound=Message)


def mcp(
    *,
    allow_writes: Annotated[
        bool,
        typer.Option("--allow-writes", help="Offer the tools that record, comment, take or release locks."),
    ] = False,
    api: Server,
) -> None:
    """Serve agents over standard input and output, as the Model Context Protocol has it.

    Programs such as Claude Code, Cursor and VS Code start this command. It has tools to search events, find
    causes of incidents, and ask what runs where and whether something may be deployed.

    Example: claude mcp add tracker -- tracker mcp --server https://tracker.example.com
    """
    if find_spec("mcp") is None:
        raise CommandError("agents need the extra: pip install 'tracker-server[mcp]'")
    import anyio

    if sys.stdin.isatty():
        say("this waits for an agent on standard input; Ctrl-C ends it")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else it would end with the next line of input
    credential = credential_for(api.server, api.token_file)
    with api.connected(credential, send_kept=False) as connection:
        anyio.run(_serve, _Remote(connection, credential.source, allow_writes=allow_writes))


async def _serve(remote: _Remote) -> None:
    from mcp.server.stdio import stdio_server

    from tracker.mcp.server import make_server

    server = make_server(lambda _: remote)
    async with stdio_server() as (requests, answers):
        await server.run(requests, answers, server.create_initialization_options())


class _Remote:
    """The server that the command calls."""

    def __init__(self, connection: Connection, token_source: str, *, allow_writes: bool) -> None:
        self._connection = connection
        self._token_source = token_source
        self._allow_writes = allow_writes

    def refusal(self, tool: Tool) -> Refused | None:
        from tracker.mcp.tools import Refused

        if self._allow_writes or tool.only_reads:
            return None
        return Refused(f"{tool.name} changes something: whoever starts tracker mcp must give --allow-writes")

    async def ask(self, request: Message, answer: type[M]) -> M:
        import anyio.to_thread

        from tracker.client.connection import ApiError
        from tracker.client.rpc import Rpc
        from tracker.mcp.tools import Refused

        try:
            return await anyio.to_thread.run_sync(
                partial(self._connection.call, Rpc(lambda: (type(request), answer)), request)
            )
        except ApiError as error:
            raise Refused(
                error.message + hint(error, self._token_source), error.reason, error.violations
            ) from None

    async def require(self, permission: str, _record: Message) -> None:
        from tracker.mcp.tools import Refused
        from tracker.pb import auth_pb

        try:
            me = await self.ask(auth_pb.MeRequest(), auth_pb.MeResponse)
        except Refused:  # as by a server that knows no permissions
            return
        if permission not in me.permissions:
            raise Refused(f"permission {permission} required", "PERMISSION_REQUIRED")
