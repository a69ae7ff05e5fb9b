"""One call to the server that a command names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.cli.exits import failures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.cli.output import Output
    from tracker.client.rpc import A, Q, Rpc
    from tracker.transcoding.json_text import JsonValue


def ask(server: str, output: Output, rpc: Rpc[Q, A], request: Q) -> A:
    """Call an RPC.

    Raises:
        CommandError: The call failed.
    """
    from tracker.client import Connection

    with failures(output), Connection(server) as connection:
        return connection.call(rpc, request)


def request_of(rpc: Rpc[Q, A], fields: Mapping[str, JsonValue]) -> Q:
    """Return a request of these fields, as JSON has them; what is none of its fields is left out."""
    from protobuf import message_from_json_value

    return message_from_json_value(rpc.request, dict(fields), ignore_unknown_fields=True)
