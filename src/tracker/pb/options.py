"""What options in the protos say of RPCs, fields, and the values of enums."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from protobuf.wkt.google.protobuf.descriptor_pb import MethodOptions

from tracker.pb import options_pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protobuf import DescEnum, DescField, DescMessage, DescMethod, Enum


@cache
def method_of(request: DescMessage) -> DescMethod:
    """Return the RPC that takes a request."""
    methods = (method for service in request.file.services for method in service.methods)
    return next(method for method in methods if method.input is request)


def only_reads(method: DescMethod) -> bool:
    """Return whether a call of an RPC changes nothing."""
    return method.idempotency is MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS


@cache
def is_always_served(method: DescMethod) -> bool:
    """Return whether an RPC is served even where the memory for unsent answers is in use."""
    options = method.proto.options
    return options is not None and options[options_pb.ext_always_served]


def permission_of(method: DescMethod) -> str:
    """Return the permission that callers of an RPC need, or `public`; empty where the proto says neither."""
    options = method.proto.options
    return "" if options is None else options[options_pb.ext_permission]


def is_open_for_own(method: DescMethod) -> bool:
    """Return whether callers with credentials need no permission of an RPC for what is their own."""
    options = method.proto.options
    return options is not None and options[options_pb.ext_own_without_permission]


def success_status(method: DescMethod) -> int:
    """Return the HTTP status of a successful answer of an RPC."""
    options = method.proto.options
    return (0 if options is None else options[options_pb.ext_success_status]) or HTTPStatus.OK


def failures_of(method: DescMethod) -> list[options_pb.Failure]:
    """Return the errors that an RPC may answer beside those that any may."""
    options = method.proto.options
    return [] if options is None else options[options_pb.ext_failures]


def formats_of(field: DescField) -> list[str]:
    """Return the formats of a text, any of them, as JSON Schema names them."""
    options = field.proto.options
    return [] if options is None else options[options_pb.ext_formats]


def query_of(field: DescField) -> options_pb.Query | None:
    """Return how queries ask for a field of an event, or None where they don't."""
    options = field.proto.options
    return None if options is None else options[options_pb.ext_query]


@cache
def answered_once(message: DescMessage) -> Sequence[str]:
    """Return the names of the fields of an answer that are secrets, and not in that to a repeated call."""
    return [
        field.name
        for field in message.fields
        if (options := field.proto.options) is not None and options[options_pb.ext_answered_once]
    ]


@cache
def _names(enum: type[Enum]) -> dict[int, str]:
    return {value.number: value.name for value in enum.desc().values}


def wire_name(value: Enum) -> str:
    """Return the name of an enum value in its proto, or its number where the proto declares none."""
    return _names(type(value)).get(value) or str(int(value))


def name_if_set(value: Enum) -> str:
    """Return the name of an enum value as `wire_name` does, "" for the one that stands for none."""
    return wire_name(value) if value else ""


@cache
def numbers(enum: DescEnum) -> Mapping[str, int]:
    """Return the numbers of an enum's values by name: of several names of one, the first is its own.

    For people, the own name of 0 is `none`.
    """
    named = {value.name: value.number for value in enum.values if value.number}
    named |= dict.fromkeys(("none", "unspecified", enum.values[0].name), 0)
    for value in enum.values:
        if (options := value.proto.options) is not None:
            aliases = options[options_pb.ext_aliases]
            named |= dict.fromkeys(aliases, value.number)
    return named


@cache
def _words(enum: DescEnum) -> Mapping[str, int]:
    return {name.lower(): number for name, number in numbers(enum).items()}


def number_named(enum: DescEnum, name: str) -> int | None:
    """Return the number of the value that a name or an alias stands for, in any case, or None."""
    return _words(enum).get(name.lower().replace("-", "_"))
