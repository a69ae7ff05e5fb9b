"""The limits that requests are held to: each tried on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from protobuf.wkt import Timestamp
from protovalidate._gen.buf.validate import validate_pb
from tests.contract.requests import EVENT, REQUESTS, UUID, VALID, broken, field_of, violations

from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protobuf import DescField
    from tests.contract.requests import Json

FREE_TEXT = 64 * 1024

LENGTHS = {
    "CreateEventRequest.title": 500,
    "CreateEventRequest.slack_id": 200,
    "CreateEventRequest.attributes.message": FREE_TEXT,
    "CreateEventRequest.attributes.source": 200,
    "CreateEventRequest.attributes.service": 200,
    "CreateEventRequest.attributes.owner": 200,
    "CreateEventRequest.links.pull_request_link": 2000,
    "CreateEventRequest.links.ticket": 2000,
    "UpdateEventRequest.title": 500,
    "UpdateEventRequest.id": 200,
    "UpdateEventRequest.slack_id": 200,
    "DeleteEventRequest.id": 200,
    "DeleteEventRequest.slack_id": 200,
    "GetEventRequest.id": 200,
    "SearchEventsRequest.source": 200,
    "SearchEventsRequest.service": 200,
    "SearchEventsRequest.slack_id": 200,
    "SearchEventsRequest.start_date": 200,
    "SearchEventsRequest.end_date": 200,
    "SearchEventsRequest.page_token": 4096,
    "SearchEventsRequest.query": 4096,
    "ListEventsRequest.service": 200,
    "ListEventsRequest.page_token": 4096,
    "TodayEventsRequest.page_token": 4096,
    "AddChangelogEntryRequest.id": 200,
    "AddChangelogEntryRequest.entry.user": 200,
    "AddChangelogEntryRequest.entry.field": 200,
    "AddChangelogEntryRequest.entry.old_value": FREE_TEXT,
    "AddChangelogEntryRequest.entry.new_value": FREE_TEXT,
    "AddChangelogEntryRequest.entry.comment": FREE_TEXT,
    "GetEventChangelogRequest.id": 200,
    "AddSlackIdRequest.id": 200,
    "AddSlackIdRequest.slack_id": 200,
    "GetEventStatsRequest.start_date": 200,
    "GetEventStatsRequest.end_date": 200,
    "GetEventStatsRequest.source": 200,
    "GetEventStatsRequest.service": 200,
    "GetEventStatsByMonthRequest.start_date": 200,
    "GetEventStatsByMonthRequest.end_date": 200,
    "GetEventStatsByMonthRequest.source": 200,
    "GetEventStatsByMonthRequest.service": 200,
    "CreateUpdateCatalogRequest.name": 200,
    "CreateUpdateCatalogRequest.owner": 200,
    "CreateUpdateCatalogRequest.version": 200,
    "CreateUpdateCatalogRequest.link": 2000,
    "CreateUpdateCatalogRequest.description": FREE_TEXT,
    "CreateUpdateCatalogRequest.repository": 2000,
    "CreateUpdateCatalogRequest.sla.description": FREE_TEXT,
    "GetCatalogRequest.name": 200,
    "DeleteCatalogRequest.name": 200,
    "ListCatalogsRequest.page_token": 4096,
    "UpdateVersionsRequest.name": 200,
    "UpdateVersionsRequest.latest_version": 200,
    "UpdateVersionsRequest.reference_version": 200,
    "UpdateDependenciesRequest.name": 200,
    "CreateLockRequest.service": 200,
    "CreateLockRequest.who": 200,
    "CreateLockRequest.environment": 200,
    "CreateLockRequest.resource": 200,
    "CreateLockRequest.lock_token": 256,
    "CreateLockRequest.reason": 2000,
    "UpdateLockRequest.service": 200,
    "UpdateLockRequest.who": 200,
    "UpdateLockRequest.environment": 200,
    "UpdateLockRequest.resource": 200,
    "UpdateLockRequest.lock_token": 256,
    "UnLockRequest.lock_token": 256,
    "UnLockRequest.reason": 2000,
    "UnLockRequest.who": 200,
    "RenewLockRequest.lock_token": 256,
    "CheckLockRequest.service": 200,
    "CheckLockRequest.environment": 200,
    "CheckLockRequest.resource": 200,
    "ListLocksRequest.page_token": 4096,
    "ListLocksRequest.service": 200,
    "ListLocksRequest.environment": 200,
    "ListLocksRequest.resource": 200,
    "CreateLinkRequest.group": 200,
    "CreateLinkRequest.name": 200,
    "CreateLinkRequest.description": FREE_TEXT,
    "CreateLinkRequest.icon": 200,
    "CreateLinkRequest.color": 200,
    "CreateLinkRequest.logo": 2000,
    "UpdateLinkRequest.group": 200,
    "UpdateLinkRequest.name": 200,
    "UpdateLinkRequest.description": FREE_TEXT,
    "UpdateLinkRequest.icon": 200,
    "UpdateLinkRequest.color": 200,
    "UpdateLinkRequest.logo": 2000,
}
"""How long a text may be."""

LISTS_OF_NAMES = (
    "CreateEventRequest.attributes.stake_holders",
    "CreateEventRequest.attributes.notifications",
    "CreateUpdateCatalogRequest.dependencies_in",
    "CreateUpdateCatalogRequest.dependencies_out",
    "UpdateVersionsRequest.available_versions",
    "UpdateDependenciesRequest.dependencies_in",
    "UpdateDependenciesRequest.dependencies_out",
)
LISTS_OF_MESSAGES = (
    "CreateUpdateCatalogRequest.used_deliverables",
    "CreateUpdateCatalogRequest.communication_channels",
    "CreateUpdateCatalogRequest.dashboard_links",
    "CreateUpdateCatalogRequest.infrastructure_resources",
    "CreateUpdateCatalogRequest.vulnerability_summary.sources",
)
LISTS_OF_ENUMS = (
    "GetVersionComplianceRequest.types",
    *(
        f"{request}.{name}"
        for request in ("GetEventStatsRequest", "GetEventStatsByMonthRequest")
        for name in ("environments", "priorities", "types", "statuses")
    ),
)

ITEMS = {
    "used_deliverables": {"name": 200, "version_used": 200, "description": FREE_TEXT},
    "communication_channels": {"name": 200, "url": 2000, "description": FREE_TEXT},
    "dashboard_links": {"name": 200, "url": 2000, "description": FREE_TEXT},
    "infrastructure_resources": {
        "id": 200,
        "name": 200,
        "description": FREE_TEXT,
        "provider": 200,
        "region": 200,
        "endpoint": 2000,
    },
    "sources": {"name": 200, "type": 200, "url": 2000, "scan_version": 200, "description": FREE_TEXT},
}
"""How long the texts in a list of messages may be."""

PAGES = {
    "SearchEventsRequest": 10_000,
    "ListEventsRequest": 1000,
    "TodayEventsRequest": 1000,
    "GetEventChangelogRequest": 1000,
    "ListCatalogsRequest": 1000,
    "ListLocksRequest": 1000,
}
"""The most records that a page may have."""

COUNTS = ("critical_count", "high_count", "medium_count", "low_count", "info_count", "total_count")

TIMES = (
    "CreateEventRequest.attributes.start_date",
    "CreateEventRequest.attributes.end_date",
    "AddChangelogEntryRequest.entry.timestamp",
    "CreateUpdateCatalogRequest.vulnerability_summary.last_updated",
)

DURATIONS = {
    "CreateLockRequest.ttl": (1, 604_800),
    "CreateLockRequest.wait": (0, 300),
    "CreateLockRequest.lock_delay": (0, 60),
    "RenewLockRequest.ttl": (1, 604_800),
}
"""From how many seconds to how many a time may last."""

UUIDS = (
    "RenewLockRequest.id",
    "GetLockRequest.id",
    "UnLockRequest.id",
    "UpdateLockRequest.id",
    "UpdateLinkRequest.id",
    "DeleteLinkRequest.id",
)
OPTIONAL_UUIDS = (
    "CreateEventRequest.attributes.related_id",
    "CreateLockRequest.event_id",
    "UpdateLockRequest.event_id",
)


def text_of(length: int, path: str) -> str:
    return f"{'https://' if path.endswith('.url') else ''}{'x' * length}"[:length]


@pytest.mark.parametrize("name", VALID)
def test_the_least_request_is_valid(name: str) -> None:
    assert violations(message_from_json_value(REQUESTS[name].type, VALID[name])) == {}


def test_every_request_is_tried() -> None:
    assert set(VALID) == set(REQUESTS)


@pytest.mark.parametrize(("path", "limit"), LENGTHS.items())
def test_a_text_may_have_its_length_and_no_more(path: str, limit: int) -> None:
    assert broken(path, text_of(limit, path)) == {}
    unit = "bytes" if limit == FREE_TEXT else "characters"
    assert broken(path, text_of(limit + 1, path)) == {field_of(path): [f"must be at most {limit} {unit}"]}


def test_free_text_is_measured_in_bytes() -> None:
    assert broken("CreateEventRequest.attributes.message", "é" * (FREE_TEXT // 2)) == {}
    assert list(broken("CreateEventRequest.attributes.message", "é" * (FREE_TEXT // 2 + 1)))


@pytest.mark.parametrize("path", LISTS_OF_NAMES)
def test_a_list_of_names_is_limited_and_so_is_each_name(path: str) -> None:
    assert broken(path, ["x" * 200] * 1000) == {}
    assert broken(path, ["x"] * 1001) == {field_of(path): ["must contain no more than 1000 item(s)"]}
    assert broken(path, ["x", "x" * 201]) == {f"{field_of(path)}[1]": ["must be at most 200 characters"]}


@pytest.mark.parametrize("path", LISTS_OF_MESSAGES)
def test_a_list_of_messages_is_limited_and_so_are_their_texts(path: str) -> None:
    assert broken(path, [{}] * 1000) == {}
    assert broken(path, [{}] * 1001) == {field_of(path): ["must contain no more than 1000 item(s)"]}
    for name, limit in ITEMS[path.rpartition(".")[2]].items():
        assert broken(path, [{name: "x" * limit}]) == {}
        assert list(broken(path, [{}, {name: "x" * (limit + 1)}])) == [f"{field_of(path)}[1].{name}"]


@pytest.mark.parametrize("path", LISTS_OF_ENUMS)
def test_a_list_of_enums_is_limited(path: str) -> None:
    assert broken(path, [1] * 1000) == {}
    assert list(broken(path, [1] * 1001)) == [field_of(path)]


def test_imported_events_are_limited_and_so_is_each() -> None:
    path = "ImportEventsRequest.events"
    assert broken(path, [EVENT] * 1000) == {}
    assert broken(path, [EVENT] * 1001) == {"events": ["must contain no more than 1000 item(s)"]}
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
    assert list(broken(path, [{"metadata": {"k" * 201: "x"}}])) == [f"{metadata}[{'k' * 201}]"]
    assert list(broken(path, [{"metadata": {"k": "x" * (FREE_TEXT + 1)}}])) == [f"{metadata}[k]"]


def test_names_of_things_connected_to_infrastructure_are_limited() -> None:
    path = "CreateUpdateCatalogRequest.infrastructure_resources"
    connected = f"{field_of(path)}[0].connected_services"
    assert broken(path, [{"connectedServices": ["x" * 200] * 1000}]) == {}
    assert list(broken(path, [{"connectedServices": ["x"] * 1001}])) == [connected]
    assert list(broken(path, [{"connectedServices": ["x" * 201]}])) == [f"{connected}[0]"]


@pytest.mark.parametrize(("name", "limit"), PAGES.items())
def test_a_page_has_a_largest_size_and_number(name: str, limit: int) -> None:
    for allowed in (0, 1, limit):
        assert broken(f"{name}.per_page", allowed) == {}
    assert broken(f"{name}.per_page", limit + 1) == {"per_page": [f"must be less than or equal to {limit}"]}
    for allowed in (0, 1, 1_000_000):
        assert broken(f"{name}.page", allowed) == {}
    for refused in (-1, 1_000_001):
        assert list(broken(f"{name}.page", refused)) == ["page"]


@pytest.mark.parametrize("count", COUNTS)
def test_counts_of_vulnerabilities_are_not_negative(count: str) -> None:
    summary = "CreateUpdateCatalogRequest.vulnerability_summary"
    assert broken(f"{summary}.{count}", 0) == {}
    assert list(broken(f"{summary}.{count}", -1)) == [f"vulnerability_summary.{count}"]
    assert list(broken(f"{summary}.sources", [{count: -1}])) == [f"vulnerability_summary.sources[0].{count}"]


@pytest.mark.parametrize(("uptime", "allowed"), [(0, True), (100, True), (-0.1, False), (100.1, False)])
def test_uptime_is_a_percentage(uptime: float, *, allowed: bool) -> None:
    path = "CreateUpdateCatalogRequest.sla.uptime_percentage"
    assert list(broken(path, uptime)) == ([] if allowed else [field_of(path)])


@pytest.mark.parametrize("path", TIMES)
def test_a_time_is_in_the_years_that_rfc_3339_can_write(path: str) -> None:
    for allowed in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"):
        assert broken(path, allowed) == {}


@pytest.mark.parametrize(("path", "least", "most"), [(path, *span) for path, span in DURATIONS.items()])
def test_a_duration_has_a_least_and_a_most(path: str, least: int, most: int) -> None:
    for allowed in (f"{least}s", f"{least}.5s", f"{most}s"):
        assert broken(path, allowed) == {}
    for wrong in (f"{least - 1}s", f"{most}.000000001s", "-1s"):
        assert list(broken(path, wrong)) == [field_of(path)]


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
    assert broken(path, {str(n): "" for n in range(101)})
    assert broken(path, {"k" * 201: ""})
    assert broken(path, {"": ""})
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


@pytest.mark.parametrize("path", UUIDS)
def test_an_id_is_a_uuid(path: str) -> None:
    assert broken(path, UUID.upper()) == {}
    for refused in ("1700000000.000100", f"urn:uuid:{UUID}", f"{{{UUID}}}", f" {UUID}"):
        assert broken(path, refused) == {field_of(path): ["must be a valid UUID"]}


@pytest.mark.parametrize("path", OPTIONAL_UUIDS)
def test_an_id_that_may_be_left_out_is_a_uuid_where_it_is_given(path: str) -> None:
    assert broken(path, "") == {}
    assert broken(path, UUID) == {}
    assert broken(path, "x") == {field_of(path): ["must be a valid UUID"]}


def test_an_event_may_be_named_by_any_text() -> None:
    for name in ("GetEventRequest", "AddSlackIdRequest", "GetEventChangelogRequest"):
        assert broken(f"{name}.id", "1700000000.000100") == {}


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
