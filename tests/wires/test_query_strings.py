from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protobuf.wkt import BoolValue, DoubleValue, Duration, Int32Value, Timestamp, UInt32Value

from tracker.errors import Code, TrackerError
from tracker.pb import catalog_pb, event_pb
from tracker.transcoding.json_request import make_message
from tracker.transcoding.query_string import parse_query, read_query

if TYPE_CHECKING:
    from protobuf import Message

Search = event_pb.SearchEventsRequest
Stats = event_pb.GetEventStatsRequest


def decode(cls: type[Message], query: str | bytes) -> Message:
    raw = query if isinstance(query, bytes) else query.encode()
    fields, _ = read_query(cls.desc(), parse_query(raw), ())
    return make_message(cls, fields)


def message_or_error(cls: type[Message], query: bytes) -> Message | TrackerError:
    try:
        return decode(cls, query)
    except TrackerError as error:
        return error


def refused(cls: type[Message], query: str | bytes) -> TrackerError:
    with pytest.raises(TrackerError) as caught:
        decode(cls, query)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value


@pytest.mark.parametrize(
    ("query", "request_"),
    [
        ("", Search()),
        ("slack_id=a", Search(slack_id="a")),
        ("slackId=a", Search(slack_id="a")),
        ("source=a+b%20c%2B", Search(source="a b c+")),
        ("source=%C3%A9", Search(source="é")),
        ("source=é".encode(), Search(source="é")),
        ("unknown=1&unknown=2&a.b=3&source.x=4&=5&&", Search()),
        ("per_page=5", Search(per_page=UInt32Value(value=5))),
        ("perPage.value=5", Search(per_page=UInt32Value(value=5))),
        ("page=-1", Search(page=Int32Value(value=-1))),
        ("page=0", Search(page=Int32Value(value=0))),
        ("start_date=2026-01-31T12:00:00%2B02:00", Search(start_date="2026-01-31T12:00:00+02:00")),
        ("type=", Search()),
        ("type=&source=&per_page=&impact=", Search()),
        ("source=&source=a", Search(source="a")),
    ],
)
def test_keys_are_fields_in_either_spelling(query: str | bytes, request_: Search) -> None:
    assert decode(Search, query) == request_


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("drift", 3),
        ("DRIFT", 3),
        ("Rpa_usage", 5),
        ("3", 3),
        ("0", 0),
        ("type_unspecified", 0),
        ("deploy", 1),
        ("RPA-usage", 5),
    ],
)
def test_enums_are_declared_names_in_any_case_or_declared_numbers(text: str, number: int) -> None:
    assert decode(Search, f"type={text}") == Search(type=event_pb.Type(number))


@pytest.mark.parametrize("text", ["banana", "99", "-1", "3.0", "%20drift"])
def test_any_other_enum_is_refused_with_what_is_valid(text: str) -> None:
    error = refused(Search, f"type={text}")
    shown = text.replace("%20", " ")
    assert error.message.startswith(f'parsing field "type": "{shown}" is not a valid value')
    assert "deployment, operation, drift, incident, rpa_usage" in error.message
    assert [violation.field for violation in error.violations] == ["type"]


def test_an_unknown_enum_is_refused_with_the_nearest_known_one() -> None:
    assert refused(Search, "type=dirft").message.endswith("rpa_usage; did you mean drift?")


@pytest.mark.parametrize(
    ("text", "value"),
    [(text, True) for text in ("1", "t", "T", "TRUE", "true", "True")]
    + [(text, False) for text in ("0", "f", "F", "FALSE", "false", "False")],
)
def test_booleans_are_what_go_takes_for_them(text: str, *, value: bool) -> None:
    assert decode(Search, f"impact={text}") == Search(impact=value)
    assert decode(Stats, f"impact={text}") == Stats(impact=BoolValue(value=value))


@pytest.mark.parametrize("text", ["yes", "tRUE", "2", "on"])
def test_any_other_boolean_is_refused(text: str) -> None:
    assert refused(Search, f"impact={text}").message == (
        f'parsing field "impact": "{text}" is not a valid value: expected true or false'
    )


@pytest.mark.parametrize("text", ["abc", "1.5", "1e3", "0x10", "1_0", "4294967296", "-1", "%D9%A3"])
def test_a_bad_number_is_refused_with_its_field_as_written_and_the_range(text: str) -> None:
    error = refused(Search, f"perPage={text}")
    assert error.message.startswith('parsing field "perPage": ')
    assert error.message.endswith("is not a valid value: expected a whole number from 0 to 4294967295")


def test_lists_repeat_their_key_and_have_no_commas() -> None:
    environments = [event_pb.Environment.production, event_pb.Environment.UAT]
    assert decode(Stats, "environments=7&environments=uat") == Stats(environments=environments)
    assert refused(Stats, "environments=7,4").message.startswith(
        'parsing list "environments": "7,4" is not a valid value'
    )


@pytest.mark.parametrize("query", ["source=a&source=b", "source=a&x=1&source=b"])
def test_any_other_key_is_given_once(query: str) -> None:
    assert refused(Search, query).message == 'too many values for field "source": a, b'


def test_two_spellings_are_one_key() -> None:
    assert refused(Search, "per_page=1&perPage=2").message == 'too many values for field "per_page": 1, 2'


def test_fields_of_messages_are_reached_with_dots() -> None:
    query = "attributes.service=s&attributes.stakeHolders=a&attributes.stake_holders=b&links.ticket=T&title=t"
    assert decode(event_pb.CreateEventRequest, query) == event_pb.CreateEventRequest(
        title="t",
        attributes=event_pb.EventAttributes(service="s", stake_holders=["a", "b"]),
        links=event_pb.EventLinks(ticket="T"),
    )


def test_a_message_has_no_text_of_its_own() -> None:
    assert "expected an object" in refused(event_pb.CreateEventRequest, "attributes=x").message


@pytest.mark.parametrize("sign", ["%2B", "+"])
def test_a_plus_sign_in_a_timestamp_may_be_unescaped(sign: str) -> None:
    query = f"attributes.start_date=2026-01-31T14:00:00{sign}02:00"
    start = Timestamp(seconds=1769860800)
    assert decode(event_pb.CreateEventRequest, query) == event_pb.CreateEventRequest(
        attributes=event_pb.EventAttributes(start_date=start)
    )


@pytest.mark.parametrize("text", ["tomorrow", "2026-01-31", "2026-01-31+12:00:00Z"])
def test_any_other_timestamp_is_refused_with_an_example(text: str) -> None:
    error = refused(event_pb.CreateEventRequest, f"attributes.startDate={text}")
    assert error.message.endswith("expected an RFC 3339 timestamp such as 2026-01-31T12:00:00Z")
    assert error.message.startswith('parsing field "attributes.startDate"')


def test_durations_and_fractions_are_text_too() -> None:
    assert decode(event_pb.EventMetadata, "duration=1.5s") == event_pb.EventMetadata(
        duration=Duration(seconds=1, nanos=500_000_000)
    )
    assert "expected a duration in seconds" in refused(event_pb.EventMetadata, "duration=soon").message
    assert decode(catalog_pb.SLA, "uptimePercentage=99.9") == catalog_pb.SLA(
        uptime_percentage=DoubleValue(value=99.9)
    )
    assert "expected a number" in refused(catalog_pb.SLA, "uptimePercentage=NaN").message


def test_maps_are_not_for_query_strings() -> None:
    assert "is not a valid value" in refused(catalog_pb.InfrastructureResource, "metadata=x").message


@pytest.mark.parametrize("query", [b"source=%ff", b"source=\xff", b"source=%zz", b"source=%", b"%C3=1"])
def test_a_query_string_is_utf8_with_whole_escapes(query: bytes) -> None:
    assert refused(Search, query).message.startswith("the query string ")


@given(st.binary(max_size=40) | st.from_regex(r"(type|per_page|page|impact|source)=.{0,9}", fullmatch=True))
def test_any_query_string_makes_a_message_or_an_error(query: bytes | str) -> None:
    raw = query if isinstance(query, bytes) else query.encode()
    outcome = message_or_error(Search, raw)
    if isinstance(outcome, TrackerError):
        assert outcome.code is Code.INVALID_ARGUMENT
        assert outcome.message
    else:
        assert Search.from_binary(outcome.to_binary()) == outcome
