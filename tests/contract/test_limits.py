"""The limits that requests are held to: each tried on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest
from protobuf import (
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
    message_from_json_value,
)
from protobuf.wkt import Timestamp, UInt32Value
from protovalidate._gen.buf.validate import validate_pb
from tests.contract.requests import EVENT, REQUESTS, UUID, VALID, broken, field_of, violations

from tracker.pb import event_pb
from tracker.time_text import MICROS, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protobuf import DescField
    from tests.contract.requests import Json

    from tracker.transcoding.json_text import JsonValue

NAME = 200
FREE_TEXT = 64 * 1024
LENGTHS = {
    **dict.fromkeys(("message", "description", "comment", "old_value", "new_value"), FREE_TEXT),
    **dict.fromkeys(("page_token", "resume_token", "query"), 4096),
    **dict.fromkeys(("link", "url", "pull_request_link", "ticket", "repository", "logo", "endpoint"), 2000),
    **dict.fromkeys(("order_by", "time_zone"), 100),
    **dict.fromkeys(("fields", "by"), 120),
    **dict.fromkeys(("principal", "created_by"), 2000),
    **dict.fromkeys(("uid", "rrule"), 1000),
    "title": 500,
    "body": 2**20,
    "path": 2000,
    **dict.fromkeys(("reason", "override_reason"), 2000),
    "lock_token": 256,
    "interval": 20,
    "trace_id": 32,
    "template": 4096,
    "token": 2000,
}
"""How long a text of this name, or in a list of this name, may be, wherever it is; any other: `NAME`."""

ITEMS = {
    **dict.fromkeys(("caused_by", "not_caused_by", "remediated_by", "rolled_back_by"), 100),
    "fields": 20,
    "by": 5,
    "group_by": 10,
    "values": 20,
    "changelog": 100_000,
    "commits": 10_000,
    **dict.fromkeys(("committed_at", "merged_at"), 5_000),
}
"""How many items a list of this name may have, wherever it is; any other: 1,000."""

DURATIONS = {
    "CreateLockRequest.ttl": (1, 604_800),
    "CreateLockRequest.wait": (0, 300),
    "CreateLockRequest.lock_delay": (0, 60),
    "RenewLockRequest.ttl": (1, 604_800),
    "CreateWebhookRequest.notification.group_for": (0, 2_592_000),
    "UpdateWebhookRequest.notification.group_for": (0, 2_592_000),
    "RotateApiKeyRequest.overlap": (0, 2_592_000),
    "CreateRetentionPolicyRequest.keep_for": (1, 3_155_760_000),
    "UpdateRetentionPolicyRequest.keep_for": (1, 3_155_760_000),
    "PreviewRetentionRequest.keep_for": (1, 3_155_760_000),
}
"""From how many seconds to how many a time may last."""

Path: TypeAlias = "tuple[DescField, ...]"


def paths(message: DescMessage, above: Path = ()) -> Iterator[Path]:
    """Yield the way to each field of a message and of those in it."""
    for field in message.fields:
        yield (*above, field)
        below = message_below(field)
        if below is not None and below not in (message, *(each.parent for each in above)):
            yield from paths(below, (*above, field))


def violations_at(path: Path, value: JsonValue) -> list[str]:
    """Return what is wrong with the value at the end of a path, on which each list has one item."""
    *above, last = path
    at = last.name
    body: JsonValue = {last.json_name: value}
    for field in reversed(above):
        is_list = isinstance(field.value, DescFieldValueList)
        body = {field.json_name: [body] if is_list else body}
        at = f"{field.name}{'[0]' if is_list else ''}.{at}"
    found = violations(message_from_json_value(path[0].parent.type, body))
    return [text for name, texts in found.items() if name.removesuffix("[0]") == at for text in texts]


def names(path: Path) -> str:
    return ".".join(field.name for field in path)


def has(message: DescMessage, name: str) -> bool:
    return any(field.name == name for field in message.fields)


def is_uuid(path: Path) -> bool:
    """Return whether a field names an event by nothing but its id."""
    within = path[-2].name if len(path) > 1 else ""
    return path[-1].name == "related_id" or (path[-1].name == "id" and within == "metadata")


@pytest.mark.parametrize("name", VALID)
def test_the_least_request_is_valid(name: str) -> None:
    assert violations(message_from_json_value(REQUESTS[name].type, VALID[name])) == {}


def test_every_request_is_tried() -> None:
    assert set(VALID) == set(REQUESTS)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_text_may_have_its_length_and_no_more(name: str) -> None:
    for path in paths(REQUESTS[name]):
        match path[-1].value:
            case DescFieldValueScalar(scalar=ScalarType.STRING) if not is_uuid(path):
                given: list[str] | str = ""
            case DescFieldValueList(element=ScalarType.STRING):
                given = []
            case _:
                continue
        limit = LENGTHS.get(path[-1].name, NAME)
        refusal = f"must be at most {limit} {'bytes' if limit >= FREE_TEXT else 'characters'}"
        for length, refusals in ((limit, []), (limit + 1, [refusal])):
            text = f"{'https://' if path[-1].name == 'url' else ''}{'x' * length}"[:length]
            texts = violations_at(path, text if given == "" else [text])
            assert [each for each in texts if "at most" in each] == refusals, names(path)


def test_free_text_is_measured_in_bytes() -> None:
    assert broken("CreateEventRequest.attributes.message", "é" * (FREE_TEXT // 2)) == {}
    assert list(broken("CreateEventRequest.attributes.message", "é" * (FREE_TEXT // 2 + 1)))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_list_may_have_its_items_and_no_more(name: str) -> None:
    for path in paths(REQUESTS[name]):
        match path[-1].value:
            case DescFieldValueList(element=DescMessage()):
                items: list[JsonValue] = [{}]
            case DescFieldValueList(element=ScalarType.STRING):
                items = [str(number) for number in range(1_001)]
            case DescFieldValueList():
                items = [1]
            case _:
                continue
        most = ITEMS.get(path[-1].name, 1_000)
        for number, refusals in ((most, []), (most + 1, [f"must have at most {most} items"])):
            texts = violations_at(path, (items * (number // len(items) + 1))[:number])
            assert [each for each in texts if each.endswith(" items")] == refusals, names(path)


def test_imported_events_are_limited_and_so_is_each() -> None:
    path = "ImportEventsRequest.events"
    assert broken(path, [EVENT] * 1000) == {}
    assert broken(path, [EVENT] * 1001) == {"events": ["must have at most 1000 items"]}
    wrong: dict[str, Json] = {
        "title": {"title": "x" * 501},
        "metadata.id": {"metadata": {"id": "x"}},
        "metadata.slack_id": {"metadata": {"slackId": "x" * 201}},
        "metadata.duration": {"metadata": {"duration": "-1s"}},
        "changelog[0].user": {"changelog": [{"user": "x" * 201}]},
        "changelog": {"changelog": [{}] * 100_001},
    }
    for field, fields in wrong.items():
        assert list(broken(path, [EVENT, EVENT | fields])) == [f"events[1].{field}"]


def test_a_map_is_limited_and_so_are_its_keys_and_values() -> None:
    path = "CreateUpdateCatalogRequest.infrastructure_resources"
    metadata = f"{field_of(path)}[0].metadata"
    assert broken(path, [{"metadata": {str(i): "x" for i in range(1000)}}]) == {}
    assert list(broken(path, [{"metadata": {str(i): "x" for i in range(1001)}}])) == [metadata]
    assert broken(path, [{"metadata": {"k" * 200: "x" * FREE_TEXT}}]) == {}
    assert list(broken(path, [{"metadata": {"k" * 201: "x"}}])) == [f"{metadata}[{'k' * 40}…]"]
    assert list(broken(path, [{"metadata": {"k": "x" * (FREE_TEXT + 1)}}])) == [f"{metadata}[k]"]


@pytest.mark.parametrize("name", [name for name, desc in REQUESTS.items() if has(desc, "per_page")])
def test_a_page_has_a_largest_size_and_any_number(name: str) -> None:
    limit = 10_000 if name == "SearchEventsRequest" else 1_000
    for allowed in (0, 1, limit):
        assert broken(f"{name}.per_page", allowed) == {}
    assert broken(f"{name}.per_page", limit + 1) == {"per_page": [f"must be at most {limit}"]}
    for allowed in (0, 1, 2**31 - 1):
        assert broken(f"{name}.page", allowed) == {}
    assert list(broken(f"{name}.page", -1)) == ["page"]


def test_counts_are_not_negative() -> None:
    counts = [p for desc in REQUESTS.values() for p in paths(desc) if p[-1].name.endswith("_count")]
    assert counts
    for path in counts:
        assert violations_at(path, 0) == []
        assert violations_at(path, -1) == ["must be at least 0"], names(path)


@pytest.mark.parametrize(("uptime", "allowed"), [(0, True), (100, True), (-0.1, False), (100.1, False)])
def test_uptime_is_a_percentage(uptime: float, *, allowed: bool) -> None:
    path = "CreateUpdateCatalogRequest.sla.uptime_percentage"
    assert broken(path, uptime) == ({} if allowed else {field_of(path): ["must be from 0 to 100"]})


def test_no_sentence_names_a_type_or_a_comparison() -> None:
    request = event_pb.GetEventFacetsRequest(fields=["a"] * 21, limit=UInt32Value(value=1001))
    assert violations(request) == {
        "fields": ["must have at most 20 items", "must not have an item twice"],
        "limit": ["must be at most 1000"],
    }


def test_a_time_is_in_the_years_that_rfc_3339_can_write() -> None:
    for path in (path for desc in REQUESTS.values() for path in paths(desc)):
        match path[-1].value:
            case DescFieldValueMessage(message=message) if message.type_name == "google.protobuf.Timestamp":
                for allowed in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"):
                    assert violations_at(path, allowed) == [], names(path)


@pytest.mark.parametrize(("path", "least", "most"), [(path, *span) for path, span in DURATIONS.items()])
def test_a_duration_has_a_least_and_a_most(path: str, least: int, most: int) -> None:
    for allowed in (f"{least}s", f"{least}.5s", f"{most}s"):
        assert broken(path, allowed) == {}
    expected = f"must be from {duration_text(least * MICROS)} to {duration_text(most * MICROS)}"
    for wrong in (f"{least - 1}s", f"{most}.000000001s", "-1s"):
        assert broken(path, wrong) == {field_of(path): [expected]}


@pytest.mark.parametrize(
    "token", ["x" * 21, "with a space in its middle", "not-ascii-\u00e9-22-characters", "tab\t" * 6]
)
def test_a_lock_token_is_long_visible_ascii(token: str) -> None:
    assert list(broken("CreateLockRequest.lock_token", token)) == ["lock_token"]
    assert broken("CreateLockRequest.lock_token", "x" * 22) == {}
    assert broken("CreateLockRequest.lock_token", "") == {}


def test_labels_of_a_lock_are_limited_and_so_are_their_names_and_values() -> None:
    path = "CreateLockRequest.labels"
    assert broken(path, {"k" * 200: "v" * 2000, **{str(n): "" for n in range(99)}}) == {}
    assert broken(path, {str(n): "" for n in range(101)}) == {"labels": ["must have at most 100 entries"]}
    assert broken(path, {"k" * 201: ""}) == {f"labels[{'k' * 40}…]": ["must be at most 200 characters"]}
    assert broken(path, {"": ""}) == {'labels[""]': ["must not be empty"]}
    assert broken(path, {"k": "v" * 2001})


def test_a_lock_is_released_by_force_for_a_reason() -> None:
    assert broken("UnLockRequest.force", value=True) == {
        "reason": ["a reason is required to release a lock by force"]
    }
    assert broken("UnLockRequest.reason", " ") == {}


def test_a_time_that_no_text_can_write_is_refused() -> None:
    attributes = event_pb.EventAttributes(
        service="s", type=event_pb.Type.drift, start_date=Timestamp(seconds=253402300800)
    )
    request = event_pb.CreateEventRequest(title="t", attributes=attributes)
    assert list(violations(request)) == ["attributes.start_date"]


def test_an_id_is_a_uuid() -> None:
    for path in (path for desc in REQUESTS.values() for path in paths(desc) if is_uuid(path)):
        assert violations_at(path, UUID) == violations_at(path, UUID.upper()) == []
        for refused in ("1700000000.000100", "x", f"urn:uuid:{UUID}", f"{{{UUID}}}", f" {UUID}"):
            assert violations_at(path, refused) == ["must be a valid UUID"], names(path)
        if path[-1].name != "id":
            assert violations_at(path, "") == [], names(path)


def test_events_locks_and_links_may_be_named_by_any_text() -> None:
    for name in ("GetEvent", "AddSlackId", "GetEventChangelog", "UnLock", "RenewLock", "DeleteLink"):
        assert broken(f"{name}Request.id", "1700000000.000100") == {}


def unlimited(message: DescMessage, above: tuple[DescMessage, ...] = ()) -> Iterator[DescField]:
    """Yield the fields below a message that could be of any size."""
    for field in message.fields:
        options = field.proto.options
        rules = options[validate_pb.ext_field] if options and validate_pb.ext_field in options else None
        kind = rules.type.value if rules is not None and rules.type is not None else None
        match field.value:
            case DescFieldValueScalar(scalar=ScalarType.STRING):
                if not isinstance(kind, validate_pb.StringRules) or not (
                    kind.max_len or kind.max_bytes or kind.well_known is not None
                ):
                    yield field
            case DescFieldValueList(element=element):
                if (
                    not isinstance(kind, validate_pb.RepeatedRules)
                    or not kind.max_items
                    or (element is ScalarType.STRING and kind.items is None)
                ):
                    yield field
            case DescFieldValueMap():
                if not isinstance(kind, validate_pb.MapRules) or not kind.max_pairs:
                    yield field
        below = message_below(field)
        if below is not None and below not in above:
            yield from unlimited(below, (*above, message))


def message_below(field: DescField) -> DescMessage | None:
    match field.value:
        case DescFieldValueMessage(message=message) | DescFieldValueList(element=DescMessage() as message):
            return None if message.type_name.startswith("google.") else message
        case _:
            return None


@pytest.mark.parametrize("name", REQUESTS)
def test_nothing_in_a_request_is_without_limit(name: str) -> None:
    assert [f"{field.parent.name}.{field.name}" for field in unlimited(REQUESTS[name])] == []
