"""What requests have to say, and in which words they are told what they lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from protobuf import message_from_json_value
from tests.contract.requests import REQUESTS, broken, field_of, violations

if TYPE_CHECKING:
    from tests.contract.requests import Json

REQUIRED = {
    "CreateEventRequest.title": "value is required",
    "CreateEventRequest.attributes": "value is required",
    "CreateEventRequest.attributes.service": "attributes.service is required",
    "CreateEventRequest.attributes.type": (
        "attributes.type is required: one of deployment, operation, drift, incident, rpa_usage"
    ),
    "ImportEventsRequest.events": "value is required",
    "UpdateEventRequest.id": "id or slack_id is required",
    "DeleteEventRequest.id": "id or slack_id is required",
    "GetEventRequest.id": "value is required",
    "AddChangelogEntryRequest.id": "value is required",
    "AddChangelogEntryRequest.entry": "changelog entry cannot be nil",
    "GetEventChangelogRequest.id": "value is required",
    "ListRelatedEventsRequest.id": "value is required",
    "AddSlackIdRequest.id": "value is required",
    "AddSlackIdRequest.slack_id": "slack_id cannot be empty",
    "GetEventStatsRequest.start_date": "start_date and end_date are required",
    "GetEventStatsRequest.end_date": "start_date and end_date are required",
    "GetEventStatsByMonthRequest.start_date": "start_date and end_date are required",
    "GetEventStatsByMonthRequest.end_date": "start_date and end_date are required",
    "GetEventFacetsRequest.fields": "value is required",
    "CreateUpdateCatalogRequest.name": "value is required",
    "CreateUpdateCatalogRequest.owner": "value is required",
    "CreateUpdateCatalogRequest.version": "value is required",
    "GetCatalogRequest.name": "value is required",
    "DeleteCatalogRequest.name": "value is required",
    "UpdateVersionsRequest.name": "value is required",
    "UpdateDependenciesRequest.name": "value is required",
    "CreateLockRequest.service": "value is required",
    "GetLockRequest.id": "value is required",
    "UpdateLockRequest.id": "value is required",
    "UnLockRequest.id": "value is required",
    "RenewLockRequest.id": "value is required",
    "CheckLockRequest.service": "value is required",
    "CheckLockRequest.fencing_token": "value is required",
    "CreateLinkRequest.name": "name and url are required",
    "CreateLinkRequest.url": "name and url are required",
    "UpdateLinkRequest.id": "value is required",
    "UpdateLinkRequest.name": "name and url are required",
    "UpdateLinkRequest.url": "name and url are required",
    "DeleteLinkRequest.id": "value is required",
}
"""What an empty request lacks, and in which words it is told."""


@pytest.mark.parametrize(("name"), sorted({path.partition(".")[0] for path in REQUIRED}))
def test_an_empty_request_is_told_all_that_it_lacks(name: str) -> None:
    told = {field_of(path): text for path, text in REQUIRED.items() if path.startswith(f"{name}.")}
    found = violations(REQUESTS[name].type())
    assert {field: texts[0] for field, texts in found.items()} == told


def test_requests_that_are_not_listed_require_nothing() -> None:
    for name in set(REQUESTS) - {path.partition(".")[0] for path in REQUIRED}:
        assert violations(REQUESTS[name].type()) == {}


def test_attributes_of_a_new_event_name_its_service_and_its_type() -> None:
    assert list(broken("CreateEventRequest.attributes", {"service": "s"})) == ["attributes.type"]
    assert list(broken("CreateEventRequest.attributes", {"type": "drift"})) == ["attributes.service"]


def test_an_update_may_clear_service_and_type() -> None:
    assert broken("UpdateEventRequest.attributes", {"message": "m"}) == {}


def test_an_event_may_be_changed_and_deleted_by_its_slack_id_alone() -> None:
    for name in ("UpdateEventRequest", "DeleteEventRequest"):
        assert violations(message_from_json_value(REQUESTS[name].type, {"slackId": "1.2"})) == {}


def test_numbers_of_enums_that_nobody_declared_are_taken() -> None:
    attributes: Json = {"service": "s", "type": 99, "status": -1, "environment": 99, "priority": 99}
    assert broken("CreateEventRequest.attributes", attributes) == {}
