from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

import orjson
from hypothesis import given
from hypothesis import strategies as st
from protobuf import message_from_json_value
from protobuf.wkt import DoubleValue, Duration, Timestamp
from tests.wires.messages import messages

from tracker.pb import catalog_pb, event_pb, link_pb, lock_pb
from tracker.transcoding.json_text import json_answer

if TYPE_CHECKING:
    from protobuf import Message


def answer(message: Message) -> dict[str, object]:
    return cast("dict[str, object]", orjson.loads(json_answer(message, None)))


@given(
    st.one_of(
        [
            messages(cls.desc())
            for cls in (
                event_pb.ListEventsResponse,
                catalog_pb.Catalog,
                catalog_pb.GetVersionComplianceResponse,
                link_pb.Link,
            )
        ]
    )
)
def test_an_answer_reads_back_as_the_message(message: Message) -> None:
    read = message_from_json_value(type(message), orjson.loads(json_answer(message, None)))
    assert read.to_binary() == message.to_binary()


def test_every_field_is_present_in_the_order_of_its_declaration() -> None:
    assert list(answer(event_pb.Event(changelog=[event_pb.ChangelogEntry()]))) == [
        "title",
        "attributes",
        "links",
        "metadata",
        "changelog",
    ]
    event = event_pb.Event(attributes=event_pb.EventAttributes(service="s"))
    assert json_answer(event_pb.GetEventResponse(event=event), None) == (
        b'{"event":{"title":"","attributes":{"message":"","source":"","type":"TYPE_UNSPECIFIED",'
        b'"priority":"PRIORITY_UNSPECIFIED","relatedId":"","service":"s","status":"STATUS_UNSPECIFIED",'
        b'"environment":"ENVIRONMENT_UNSPECIFIED","impact":false,"startDate":null,"endDate":null,"owner":"",'
        b'"stakeHolders":[],"notification":false,"notifications":[],"labels":{},"version":"","externalId":"",'
        b'"region":"","cluster":"","traceId":""},'
        b'"links":null,"metadata":null,"changelog":[]}}'
    )


def test_messages_inside_lists_and_maps_are_complete_too() -> None:
    (resource,) = cast(
        "list[dict[str, object]]",
        answer(catalog_pb.Catalog(infrastructure_resources=[catalog_pb.InfrastructureResource(id="1")]))[
            "infrastructureResources"
        ],
    )
    assert resource["metadata"] == {}
    assert resource["connectedServices"] == []


def test_unset_messages_wrappers_and_timestamps_are_null() -> None:
    assert answer(catalog_pb.Catalog())["sla"] is None
    assert answer(catalog_pb.SLA())["uptimePercentage"] is None
    assert answer(lock_pb.Lock())["createdAt"] is None


def test_optional_fields_are_left_out_while_unset() -> None:
    assert "icon" not in answer(link_pb.Link(color=""))
    assert answer(link_pb.Link(color=""))["color"] == ""


def test_enums_are_names_and_numbers_without_a_name_are_bare() -> None:
    assert answer(event_pb.EventAttributes(type=event_pb.Type.drift))["type"] == "drift"
    assert answer(event_pb.EventAttributes(type=event_pb.Type(99)))["type"] == 99


def test_64_bit_numbers_are_strings_and_others_are_numbers() -> None:
    assert answer(lock_pb.UnLockResponse(count=2**63 - 1))["count"] == "9223372036854775807"
    assert answer(event_pb.ListEventsResponse(total_count=2**32 - 1))["totalCount"] == 2**32 - 1


def test_times_and_durations_have_as_many_digits_as_they_need() -> None:
    metadata = event_pb.EventMetadata(
        created_at=Timestamp(seconds=1769860800, nanos=120_000_000),
        duration=Duration(seconds=1, nanos=103018119),
    )
    assert answer(metadata)["createdAt"] == "2026-01-31T12:00:00.120Z"
    assert answer(metadata)["duration"] == "1.103018119s"


def test_wrappers_are_bare_values() -> None:
    assert answer(catalog_pb.SLA(uptime_percentage=DoubleValue(value=99.9)))["uptimePercentage"] == 99.9


def test_text_is_not_escaped_for_html() -> None:
    assert b'"<a> & \xc3\xa9"' in json_answer(event_pb.Event(title="<a> & é"), None)


def test_a_32_bit_percentage_has_no_more_digits_than_it_needs() -> None:
    assert b":66.666664}" in json_answer(
        catalog_pb.GetVersionComplianceResponse(
            projects=[catalog_pb.ProjectCompliance(compliance_percentage=200 / 3)]
        ),
        None,
    )


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_32_bit_number_reads_back_as_itself(number: float) -> None:
    shown = answer(catalog_pb.ProjectCompliance(compliance_percentage=number))["compliancePercentage"]
    assert struct.pack("f", cast("float", shown)) == struct.pack("f", number)
    assert len(repr(shown)) <= len(repr(number))
