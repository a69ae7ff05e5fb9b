"""Calls to the server that a command names, and how the command fails with them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.cli.exits import FAILED, LOCKED, UNREACHABLE, USAGE, WAITED, CommandError
from tracker.cli.printing import Output, print_document, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.client import ApiError
    from tracker.client.rpcs import A, Q, Rpc
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


def exit_code(error: ApiError) -> int:
    """Return the exit code of a command whose call the server refused."""
    from tracker.errors import Code, Reason

    by_reason: dict[str, int] = {
        Reason.LOCK_WAIT_TIMEOUT: WAITED,
        Reason.LOCK_HELD: LOCKED,
        Reason.LOCK_DELAY: LOCKED,
        Reason.LOCK_LOST: LOCKED,
        Reason.LOCK_TOKEN_USED: LOCKED,
    }
    by_code = {
        Code.INVALID_ARGUMENT: USAGE,
        Code.UNAVAILABLE: UNREACHABLE,
        Code.DEADLINE_EXCEEDED: UNREACHABLE,
        Code.RESOURCE_EXHAUSTED: UNREACHABLE,
    }
    return by_reason.get(error.reason) or by_code.get(error.code, FAILED)


@contextmanager
def failures(output: Output = Output.TEXT) -> Iterator[None]:
    """Turn the failure of a call into that of the command, and print it as a document if one was asked for.

    Raises:
        CommandError: The call failed.
    """
    from tracker.client import ApiError, UnreachableError

    try:
        yield
    except ApiError as error:
        _document(
            output,
            error.message,
            code=error.code.name,
            reason=error.reason,
            metadata={name: str(value) for name, value in error.metadata.items()},
        )
        raise CommandError(printable(error.message), exit_code(error)) from None
    except UnreachableError as error:
        _document(output, str(error), code="UNAVAILABLE", reason="UNREACHABLE", metadata={})
        raise CommandError(str(error), UNREACHABLE) from None


def _document(output: Output, message: str, **details: JsonValue) -> None:
    if output in (Output.JSON, Output.YAML):
        print_document({"error": {"message": message, **details}}, output)
