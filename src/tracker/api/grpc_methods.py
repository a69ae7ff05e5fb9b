"""The methods of gRPC: how the messages of an endpoint are decoded and encoded."""

from __future__ import annotations

from functools import cache, partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple

from protobuf import DescFieldValueMessage

from tracker.errors import FieldViolation, invalid
from tracker.transcoding.fields import DURATION, TIMESTAMP, is_well_known, message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protobuf import DescMessage, Message

    from tracker.api.calls.endpoint import Endpoint

_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
"""What the message library raises for bytes that are not a message."""


class GrpcMethod(NamedTuple):
    """An endpoint of gRPC, and how its messages are decoded and encoded.

    One that `takes_stream` is given an iterator of requests.
    """

    endpoint: Endpoint
    decode: Callable[[bytes], object]
    encode: Callable[[Any], bytes]
    takes_stream: bool = False


def rpc_method(method: Endpoint) -> GrpcMethod:
    """Return the method of an RPC."""
    if method.rpc is None:
        raise TypeError(f"{method.name} is not an RPC")
    return GrpcMethod(method, partial(decode, method.rpc.input.type), methodcaller("to_binary"))


def decode(cls: type[Message], request: bytes) -> Message:
    """Return the message in a request.

    Raises:
        TrackerError: INVALID_ARGUMENT; there is none.
    """
    try:
        message = cls.from_binary(request)
        if _has_time(message):
            message.to_json()  # refuses nanoseconds out of range, which no rule in a proto can check
    except _UNREADABLE as error:
        raise invalid(FieldViolation("", f"the request is not a {cls.desc().type_name}: {error}")) from None
    return message


def _has_time(message: Message) -> bool:
    """Return whether a message may have a Timestamp or a Duration in it: a quick look, at what is set."""
    for name, is_message in _fields_of_times(message.desc()):
        value = getattr(message, name)
        if value and not (is_message and not _has_time(value)):
            return True
    return False


@cache
def _fields_of_times(message: DescMessage) -> Sequence[tuple[str, bool]]:
    """Return the fields that may have a time in them, and whether each is a message to look into."""
    return [
        (field.local_name, isinstance(field.value, DescFieldValueMessage) and not is_well_known(inner))
        for field in message.fields
        if (inner := message_of(field)) is not None and _holds_time(inner)
    ]


@cache
def _holds_time(message: DescMessage) -> bool:
    """Return whether a message, or one inside it, may hold a Timestamp or a Duration."""
    if message.type_name in (TIMESTAMP, DURATION):
        return True
    return any(inner is not None and _holds_time(inner) for inner in map(message_of, message.fields))
