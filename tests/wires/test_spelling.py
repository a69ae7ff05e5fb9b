from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import catalog_pb, event_pb
from tracker.transcoding.bindings import respell
from tracker.transcoding.query_string import nested, parse_query

if TYPE_CHECKING:
    from tracker.transcoding.json_text import JsonValue

Event = event_pb.CreateEventRequest.desc()
Catalog = catalog_pb.CreateUpdateCatalogRequest.desc()


@pytest.mark.parametrize(
    ("path", "written", "spelled"),
    [
        ("attributes.start_date", {"attributes": {"startDate": "x"}}, "attributes.startDate"),
        ("attributes.start_date", {"attributes": {"start_date": "x"}}, "attributes.start_date"),
        ("attributes.start_date", {}, "attributes.startDate"),
        ("attributes.start_date", None, "attributes.startDate"),
        ("attributes.start_date", {"attributes": []}, "attributes.startDate"),
        ("attributes.stake_holders[2]", {"attributes": {"stake_holders": []}}, "attributes.stake_holders[2]"),
        ("slack_id", {"slack_id": ""}, "slack_id"),
        ("slack_id", {"title": ""}, "slackId"),
        ("", {}, ""),
        ("nothing.of_it[1]", {}, "nothing.of_it[1]"),
    ],
)
def test_a_field_is_named_as_the_client_named_it(path: str, written: JsonValue, spelled: str) -> None:
    error = respell(invalid(FieldViolation(path, "is wrong")), Event, written)
    assert error.violations == (FieldViolation(spelled, "is wrong"),)
    assert error.message == (f"{spelled}: is wrong" if spelled else "is wrong")


@pytest.mark.parametrize(
    ("path", "written", "spelled"),
    [
        (
            "used_deliverables[1].version_used",
            {"usedDeliverables": [{"versionUsed": ""}, {"version_used": ""}]},
            "usedDeliverables[1].version_used",
        ),
        (
            "used_deliverables[5].version_used",
            {"used_deliverables": [{"version_used": ""}]},
            "used_deliverables[5].versionUsed",
        ),
        (
            "infrastructure_resources[0].metadata[a.b c]",
            {"infrastructureResources": [{"metadata": {"a.b c": 1}}]},
            "infrastructureResources[0].metadata[a.b c]",
        ),
        (
            "infrastructure_resources[0].connected_services[0]",
            {"infrastructureResources": "x"},
            "infrastructureResources[0].connectedServices[0]",
        ),
    ],
)
def test_items_of_lists_and_maps_keep_their_place(path: str, written: JsonValue, spelled: str) -> None:
    assert respell(invalid(FieldViolation(path, "x")), Catalog, written).violations[0].field == spelled


def test_the_keys_of_a_query_string_count_as_the_clients_spelling() -> None:
    written = nested(parse_query(b"attributes.start_date=x&slack_id=y&attributes=z"))
    assert respell(invalid(FieldViolation("attributes.start_date", "x")), Event, written).message == (
        "attributes.start_date: x"
    )
    assert respell(invalid(FieldViolation("slack_id", "x")), Event, written).message == "slack_id: x"


def test_a_message_that_is_not_made_of_violations_stays() -> None:
    error = TrackerError(
        Reason.STORE_UNAVAILABLE,
        "not now",
        metadata={"by": "me"},
        violations=[FieldViolation("slack_id", "x")],
    )
    spelled = respell(error, Event, {})
    assert (spelled.code, spelled.message, spelled.reason) == (
        error.code,
        "not now",
        Reason.STORE_UNAVAILABLE,
    )
    assert spelled.metadata == {"by": "me"}
    assert spelled.violations[0].field == "slackId"
