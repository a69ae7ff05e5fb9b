from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protobuf import Message, message_to_json_value
from protobuf.wkt import DoubleValue, Timestamp, UInt32Value
from tests.wires.messages import TEXT, messages

from tracker.errors import Code, TrackerError
from tracker.pb import catalog_pb, event_pb
from tracker.transcoding.json_request import make_message, normalise
from tracker.transcoding.json_text import MAX_DEPTH, parse_json

if TYPE_CHECKING:
    from tracker.transcoding.json_text import JsonValue

M = TypeVar("M", bound=Message)
Event = event_pb.CreateEventRequest
Catalog = catalog_pb.CreateUpdateCatalogRequest
Attributes = event_pb.EventAttributes


def decode(cls: type[M], body: JsonValue | bytes) -> M:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields, _ = normalise(cls.desc(), parse_json(text))
    message = make_message(cls, fields)
    assert isinstance(message, cls)
    return message


def message_or_error(cls: type[M], body: JsonValue | bytes) -> M | TrackerError:
    try:
        return decode(cls, body)
    except TrackerError as error:
        return error


def refused(cls: type[Message], body: JsonValue | bytes) -> TrackerError:
    with pytest.raises(TrackerError) as caught:
        decode(cls, body)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value


@given(messages(Event.desc()) | messages(Catalog.desc()))
def test_a_message_comes_back_from_its_json_in_either_spelling(message: Message) -> None:
    for snake_case in (False, True):
        assert (
            decode(type(message), message_to_json_value(message, use_proto_field_name=snake_case)) == message
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT, below, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        name
        for message in (Catalog.desc(), catalog_pb.SLA.desc())
        for f in message.fields
        for name in (f.name, f.json_name)
    ]
)


@given(st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=3), max_size=4))
@settings(max_examples=300)
def test_any_json_makes_a_message_or_an_error_that_names_the_field(body: dict[str, JsonValue]) -> None:
    outcome = message_or_error(Catalog, body)
    if isinstance(outcome, TrackerError):
        assert outcome.code is Code.INVALID_ARGUMENT
        assert all(v.field and v.description for v in outcome.violations)
    else:
        assert Catalog.from_binary(outcome.to_binary()) == outcome


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_make_a_message_or_an_error(body: bytes) -> None:
    outcome = message_or_error(Event, body)
    assert isinstance(outcome, Event) or outcome.code is Code.INVALID_ARGUMENT


@given(JSON)
def test_unknown_keys_are_ignored_at_any_depth(value: JsonValue) -> None:
    body: JsonValue = {
        "title": "t",
        "slackChannel": value,
        "attributes": {"stackHolders": value, "owner": "o"},
    }
    assert decode(Event, body) == Event(title="t", attributes=Attributes(owner="o"))


@pytest.mark.parametrize("body", [b"", b"  \r\n\t", b"{}", b" {}\n"])
def test_an_empty_body_is_an_empty_message(body: bytes) -> None:
    assert decode(Event, body) == Event()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("deployment", 1),
        ("DEPLOYMENT", 1),
        ("Rpa_Usage", 5),
        ("type_unspecified", 0),
        (3, 3),
        (3.0, 3),
        ("3", 3),
        (99, 99),
        ("99", 99),
        (-1, -1),
        ("deploy", 1),
        ("Rpa-Usage", 5),
        ("RPA", 5),
        ("none", 0),
        ("unspecified", 0),
        ("", 0),
        (None, 0),
        (2**31 - 1, 2**31 - 1),
    ],
)
def test_enums_are_names_or_aliases_in_any_case_or_numbers(value: JsonValue, number: int) -> None:
    message = decode(Event, {"attributes": {"type": value}})
    assert message == Event(attributes=Attributes(type=event_pb.Type(number)))


@pytest.mark.parametrize("value", [True, 1.5, 2**31, [], {}, 1e300, "9999999999"])
def test_what_is_neither_a_name_nor_a_number_is_no_enum(value: JsonValue) -> None:
    error = refused(Event, {"attributes": {"type": value}})
    assert error.violations[0].field == "attributes.type"
    assert "expected a name or a number of Type" in error.message


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("status", "succes", 'got "succes"; did you mean success?'),
        ("status", "faild", 'got "faild"; did you mean failed?'),
        ("environment", "prodution", 'got "prodution"; did you mean production?'),
        ("priority", "p9", "expected one of PRIORITY_UNSPECIFIED, P1, P2"),
        ("type", "banana", 'incident, rpa_usage, got "banana"'),
        ("type", " drift", 'got " drift"; did you mean drift?'),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(field: str, value: str, told: str) -> None:
    error = refused(Event, {"attributes": {field: value}})
    assert [violation.field for violation in error.violations] == [f"attributes.{field}"]
    assert told in error.message


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("2026-01-31T12:00:00Z", 1769860800, 0),
        ("2026-01-31T14:00:00+02:00", 1769860800, 0),
        ("2026-01-31T12:00:00.123456789Z", 1769860800, 123456789),
        ("1969-12-31T23:59:59.5Z", -1, 500000000),
    ],
)
def test_timestamps_are_rfc_3339_with_a_zone(text: str, seconds: int, nanos: int) -> None:
    message = decode(Event, {"attributes": {"startDate": text}})
    assert message == Event(attributes=Attributes(start_date=Timestamp(seconds=seconds, nanos=nanos)))


def test_an_empty_timestamp_is_unset() -> None:
    assert decode(Event, {"attributes": {"start_date": ""}}) == Event(attributes=Attributes())


@pytest.mark.parametrize(
    "value",
    [
        "tomorrow",
        "2026-01-31",
        "2026-01-31T12:00:00",
        1769860800,
        {"seconds": 1},
        "10000-01-01T00:00:00Z",
        [],
    ],
)
def test_any_other_timestamp_is_refused_with_an_example(value: JsonValue) -> None:
    error = refused(Event, {"attributes": {"startDate": value}})
    assert error.message.startswith(
        "attributes.start_date: expected an RFC 3339 timestamp such as 2026-01-31T12:00:00Z, got "
    )


@pytest.mark.parametrize(
    ("value", "number"), [(99.9, 99.9), ("99.9", 99.9), (5, 5.0), ("1e2", 100.0), (0, 0.0)]
)
def test_wrappers_are_bare_values_or_numbers_as_text(value: JsonValue, number: float) -> None:
    sla = catalog_pb.SLA(uptime_percentage=DoubleValue(value=number), response_time_ms=UInt32Value(value=7))
    assert decode(Catalog, {"sla": {"uptimePercentage": value, "response_time_ms": "7"}}) == Catalog(sla=sla)


@pytest.mark.parametrize("value", [{"value": 1}, True, "", "NaN", "Infinity", "1_0", "٣", " 1", [1], 10**400])
def test_nothing_else_is_a_wrapped_number(value: JsonValue) -> None:
    error = refused(Catalog, {"sla": {"uptimePercentage": value}})
    assert error.violations[0].field == "sla.uptime_percentage"
    assert "expected a number" in error.violations[0].description


@pytest.mark.parametrize("value", [-1, 2**32, "4294967296", 1.5])
def test_a_number_out_of_range_is_told_the_range(value: JsonValue) -> None:
    error = refused(Catalog, {"sla": {"responseTimeMs": value}})
    assert "expected a whole number from 0 to 4294967295" in error.message


@pytest.mark.parametrize("field", ["title", "attributes", "links", "slackId", "slack_id"])
def test_null_is_unset(field: str) -> None:
    assert decode(Event, {field: None}) == Event()


def test_null_is_unset_below_too() -> None:
    names = [name for field in Attributes.desc().fields for name in {field.name, field.json_name}]
    for name in names:
        assert decode(Event, {"attributes": {name: None}}) == Event(attributes=Attributes())


@pytest.mark.parametrize(
    ("cls", "body", "field"),
    [
        (Event, {"title": 5}, "title"),
        (Event, {"attributes": []}, "attributes"),
        (Event, {"attributes": {"impact": 1}}, "attributes.impact"),
        (Event, {"attributes": {"impact": "true"}}, "attributes.impact"),
        (Event, {"attributes": {"stakeHolders": "me"}}, "attributes.stake_holders"),
        (Event, {"attributes": {"stakeHolders": ["me", None]}}, "attributes.stake_holders[1]"),
        (Event, {"attributes": {"stakeHolders": [[]]}}, "attributes.stake_holders[0]"),
        (Catalog, {"usedDeliverables": [{"name": "a"}, {"name": 1}]}, "used_deliverables[1].name"),
        (Catalog, {"usedDeliverables": [{"type": []}]}, "used_deliverables[0].type"),
        (Catalog, {"usedDeliverables": [None]}, "used_deliverables[0]"),
        (
            Catalog,
            {"infrastructureResources": [{"metadata": {"a b": 1}}]},
            "infrastructure_resources[0].metadata[a b]",
        ),
        (
            Catalog,
            {"infrastructureResources": [{"metadata": {"a": None}}]},
            "infrastructure_resources[0].metadata[a]",
        ),
        (Catalog, {"infrastructureResources": [{"metadata": []}]}, "infrastructure_resources[0].metadata"),
        (Catalog, {"vulnerabilitySummary": {"lastUpdated": "x"}}, "vulnerability_summary.last_updated"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_its_path(
    cls: type[Message], body: JsonValue, field: str
) -> None:
    assert [violation.field for violation in refused(cls, body).violations] == [field]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1", b"true"])
def test_a_body_is_an_object(body: bytes) -> None:
    assert "expected an object" in refused(Event, body).message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"title": "a", "title": "a"}', "title"),
        (b'{"slackId": "a", "slack_id": "a"}', "slack_id"),
        (b'{"attributes": {"startDate": null, "start_date": null}}', "attributes.start_date"),
        (b'{"attributes": {}, "attributes": {}}', "attributes"),
    ],
)
def test_a_field_given_twice_is_refused(body: bytes, field: str) -> None:
    error = refused(Event, body)
    assert error.violations[0].field == field
    assert "duplicate field" in error.message


def test_a_key_of_a_map_given_twice_is_refused() -> None:
    body = b'{"infrastructureResources": [{"metadata": {"a": "1", "a": "2"}}]}'
    assert "infrastructure_resources[0].metadata[a]: duplicate field" in refused(Catalog, body).message


def test_an_unknown_key_given_twice_is_ignored_like_any_other() -> None:
    assert decode(Event, b'{"other": 1, "other": {"x": 1, "x": 2}, "title": "t"}') == Event(title="t")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"x",
        b'{"title": "\xff"}',
        b'{"title": "\\ud800"}',
        b'{"title": "\\udc00\\ud800"}',
        b'{"other": "\\ud800"}',
        b'{"title": "\x01"}',
        b'{"other": NaN}',
        b'{"other": -Infinity}',
        b'{"other": 1' + b"0" * 5000 + b"}",
        b"{'title': 1}",
        b'{"title": "a",}',
        b"\xef\xbb\xbf{}",
        b' {} {"title": "x"}',
        b"{}garbage \xc3\xa9",
        b"{},",
        b'{"title": "x"}{"title": "x"}',
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    error = refused(Event, body)
    assert error.message.startswith("the body is not valid JSON: ")
    assert "sys." not in error.message


def test_surrogate_pairs_are_characters() -> None:
    assert decode(Event, b'{"title": "\\ud83d\\ude80"}') == Event(title="\N{ROCKET}")


@pytest.mark.parametrize("opening", [b'{"a":', b"[", b'[{"a":'])
def test_nesting_is_bounded(opening: bytes) -> None:
    closing = opening[::-1].translate(bytes.maketrans(b"{[", b"}]"), b'":a')
    levels = MAX_DEPTH // (opening.count(b"{") + opening.count(b"["))
    wrap = b'{"other": %s1%s}'
    assert decode(Event, wrap % (opening * (levels - 1), closing * (levels - 1))) == Event()
    for deep in (levels, 10_000):
        assert "nests deeper" in refused(Event, wrap % (opening * deep, closing * deep)).message
    assert refused(Event, opening * 200_000)


def test_many_values_side_by_side_are_not_deep() -> None:
    assert decode(Event, {"other": [[{}]] * 1000, "title": "t"}) == Event(title="t")
