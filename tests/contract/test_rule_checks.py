"""The rules of requests in plain Python confirm nothing that the validator refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import protovalidate
import pytest
from protobuf import (
    DescEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescMessage,
    ScalarType,
    message_from_json_value,
)
from protovalidate._gen.buf.validate import validate_pb
from tests.contract.requests import REQUESTS, VALID, request_with

from tracker.transcoding.fields import DURATION, TIMESTAMP, element_of, is_well_known, message_of
from tracker.transcoding.rules import is_surely_right

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from protobuf import DescField

    from tracker.transcoding.json_text import JsonValue

VALIDATOR = protovalidate.Validator()
TEXTS = (
    *("", "x", " ", "\n", "a\n", "\v", "é", "a b", "a#", "0197e000-0000-7000-8000-000000000000"),
    *("time", "-time", "-time\n", "https://x.example/", "HTTP://x", "https://x\n", "http:", "mailto:a"),
    *("javascript:alert(1)", "localhost:80", "x:", "\tx:", "\u017f", "http\u017f://x"),
)
KNOWN: dict[str, Sequence[JsonValue]] = {
    TIMESTAMP: ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"],
    DURATION: ["0s", "1s", "0.5s", "-1s", "3600s", "300.5s", "99999999s"],
    "google.protobuf.BoolValue": [False, True],
}
NUMBERS = (0, 1, 2, 100, 101, 1_000, 1_001, 2_000_000_000)


def fields_of(message: DescMessage, path: str) -> Iterator[tuple[str, DescField]]:
    """Yield all fields of a request, and of the messages in it, with their paths."""
    for field in message.fields:
        yield f"{path}.{field.name}", field
        inner = message_of(field)
        if isinstance(field.value, DescFieldValueMessage) and inner is not None and not is_well_known(inner):
            yield from fields_of(inner, f"{path}.{field.name}")


def texts(field: DescField) -> Sequence[str]:
    """Return texts as above, and some that are as long as a field allows, or longer."""
    options = field.proto.options
    if options is None or validate_pb.ext_field not in options:
        return TEXTS
    kind = options[validate_pb.ext_field].type
    limits = None if kind is None else kind.value
    if isinstance(limits, validate_pb.RepeatedRules) and limits.items is not None and limits.items.type:
        limits = limits.items.type.value
    if not isinstance(limits, validate_pb.StringRules):
        return TEXTS
    lengths = {limits.max_len, limits.max_bytes, limits.max_bytes // 4, limits.min_len - 1, 200, 1_000}
    long = [sign * (length + more) for length in lengths for more in (0, 1) for sign in "aé\U0001f600"]
    return [*TEXTS, *long]


def values(field: DescField) -> Sequence[JsonValue]:
    """Return values of a field, right and wrong ones."""
    element = element_of(field)
    items: Sequence[JsonValue] = NUMBERS
    if element in (ScalarType.STRING, ScalarType.BYTES):
        items = texts(field) if element is ScalarType.STRING else [""]
    elif element is ScalarType.BOOL:
        items = [False, True]
    elif isinstance(element, DescEnum):
        items = [value.name for value in element.values]
    elif isinstance(element, DescMessage):
        items = KNOWN.get(element.type_name, NUMBERS if is_well_known(element) else [{}])
    if isinstance(field.value, DescFieldValueList):
        return [[], *([item] for item in items), [items[0], items[0]], [items[-1]] * 1_001]
    if isinstance(field.value, DescFieldValueMap):
        return [{}, *({text: items[0]} for text in TEXTS), *({"k": item} for item in items)]
    return items


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_surely_right_breaks_no_rule(name: str) -> None:
    for path, field in fields_of(REQUESTS[name], name):
        for value in values(field):
            request = request_with(path, value)
            if is_surely_right(request):
                assert not VALIDATOR.collect_violations(request), (path, value)


@pytest.mark.parametrize(
    "name",
    [
        *("CreateEventRequest", "UpdateEventRequest", "GetEventRequest", "SearchEventsRequest"),
        *("ListEventsRequest", "CreateLockRequest", "GetLockRequest", "UnLockRequest", "RenewLockRequest"),
    ],
)
def test_common_requests_need_no_closer_look(name: str) -> None:
    assert is_surely_right(message_from_json_value(REQUESTS[name].type, VALID[name]))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("CreateLockRequest.ttl", "60s"), ("CreateLockRequest.wait", "0.5s")),
        *(("CreateLockRequest.lock_token", "a" * 22), ("CreateLockRequest.labels", {"team": "shop"})),
        ("CreateEventRequest.attributes.start_date", "2026-01-01T00:00:00.25Z"),
        ("CreateEventRequest.attributes.labels", {"team": "shop"}),
        ("CreateEventRequest.attributes.stake_holders", ["ana", "bob"]),
    ],
)
def test_common_fields_need_no_closer_look(path: str, value: JsonValue) -> None:
    assert is_surely_right(request_with(path, value))
