"""What requests have to say, and in which words they are told what they lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from protobuf import message_from_json_value
from tests.contract.requests import REQUESTS, broken, field_of, violations

if TYPE_CHECKING:
    from tests.contract.requests import Json

REQUIRED = {
    "CreateEventRequest.title": "title is required",
    "CreateEventRequest.attributes": "attributes is required",
    "CreateEventRequest.attributes.service": "attributes.service is required",
    "CreateEventRequest.attributes.type": (
        "attributes.type is required: one of deployment, operation, drift, incident, rpa_usage"
    ),
    "ImportEventsRequest.events": "events is required",
    "UpdateEventRequest.id": "id or slack_id is required",
    "DeleteEventRequest.id": "id or slack_id is required",
    "GetEventRequest.id": "id is required",
    "AddChangelogEntryRequest.id": "id is required",
    "AddChangelogEntryRequest.entry": "changelog entry cannot be nil",
    "GetEventChangelogRequest.id": "id is required",
    "ListRelatedEventsRequest.id": "id is required",
    "AddSlackIdRequest.id": "id is required",
    "AddSlackIdRequest.slack_id": "slack_id cannot be empty",
    "GetEventStatsRequest.start_date": "start_date and end_date are required",
    "GetEventStatsRequest.end_date": "start_date and end_date are required",
    "GetEventStatsByMonthRequest.start_date": "start_date and end_date are required",
    "GetEventStatsByMonthRequest.end_date": "start_date and end_date are required",
    "GetEventFacetsRequest.fields": "fields is required",
    "CreateUpdateCatalogRequest.name": "name is required",
    "CreateUpdateCatalogRequest.owner": "owner is required",
    "CreateUpdateCatalogRequest.version": "version is required",
    "GetCatalogRequest.name": "name is required",
    "DeleteCatalogRequest.name": "name is required",
    "UpdateVersionsRequest.name": "name is required",
    "UpdateDependenciesRequest.name": "name is required",
    "CreateLockRequest.service": "service is required",
    "GetLockRequest.id": "id is required",
    "UpdateLockRequest.id": "id is required",
    "UnLockRequest.id": "id is required",
    "RenewLockRequest.id": "id is required",
    "CheckLockRequest.service": "service is required",
    "CheckLockRequest.fencing_token": "fencing_token is required",
    "CreateLinkRequest.name": "name and url are required",
    "CreateLinkRequest.url": "name and url are required",
    "UpdateLinkRequest.id": "id is required",
    "UpdateLinkRequest.name": "name and url are required",
    "UpdateLinkRequest.url": "name and url are required",
    "DeleteLinkRequest.id": "id is required",
    "CreateApiKeyRequest.name": "api key name is required",
    "RotateApiKeyRequest.id": "id is required",
    "EraseAuditValueRequest.value": "value is required",
    "RevokeApiKeyRequest.id": "id is required",
    "EndSessionRequest.id": "id is required",
    "CreateUserRequest.username": (
        "username must be 2 to 64 characters of letters, digits, dot, underscore or dash"
    ),
    "CreateUserRequest.password": "password must be 12 to 128 characters",
    "CreateTeamRequest.name": "team name must be 1 to 64 characters",
    "UpdateTeamRequest.name": "team name must be 1 to 64 characters",
    "UpdateUserRequest.id": "id is required",
    "UpdateTeamRequest.id": "id is required",
    "DeleteTeamRequest.id": "id is required",
    "GetWebhookRequest.id": "id is required",
    "CreateWebhookRequest.name": "name is required",
    "CreateWebhookRequest.url": "url is required",
    "UpdateWebhookRequest.id": "id is required",
    "UpdateWebhookRequest.name": "name is required",
    "UpdateWebhookRequest.url": "url is required",
    "RotateWebhookSecretRequest.id": "id is required",
    "DeleteWebhookRequest.id": "id is required",
    "TestWebhookRequest.id": "id is required",
    "ListWebhookDeliveriesRequest.id": "id is required",
    "ReplayWebhookDeliveriesRequest.id": "id is required",
    "ExplainIncidentRequest.id": "id is required",
    "LinkChangeRequest.id": "id is required",
    "LinkChangeRequest.change_id": "change_id is required",
    "ListStateVersionsRequest.service": "service is required",
    "RestoreStateVersionRequest.service": "service is required",
    "RestoreStateVersionRequest.number": "number is required",
    "CreateFreezeWindowRequest.title": "title is required",
    "CreateFreezeWindowRequest.type": "type is required",
    "CreateFreezeWindowRequest.starts_at": "starts_at is required",
    "GetFreezeWindowRequest.id": "id is required",
    "UpdateFreezeWindowRequest.id": "id is required",
    "UpdateFreezeWindowRequest.title": "title is required",
    "UpdateFreezeWindowRequest.type": "type is required",
    "UpdateFreezeWindowRequest.starts_at": "starts_at is required",
    "DeleteFreezeWindowRequest.id": "id is required",
    "GetIntakeMessageRequest.id": "id is required",
    "ReplayIntakeMessageRequest.id": "id is required",
    "TestIntakeRequest.sender": "sender is required",
    "CheckDeploymentRequest.service": "service is required",
    "CheckDeploymentRequest.environment": "environment is required",
    "CreateRetentionPolicyRequest.name": "name is required",
    "CreateRetentionPolicyRequest.keep_for": "keep_for is required",
    "UpdateRetentionPolicyRequest.id": "id is required",
    "UpdateRetentionPolicyRequest.name": "name is required",
    "UpdateRetentionPolicyRequest.keep_for": "keep_for is required",
    "DeleteRetentionPolicyRequest.id": "id is required",
    "RunRetentionPolicyRequest.id": "id is required",
    "CreateLegalHoldRequest.name": "name is required",
    "CreateLegalHoldRequest.reason": "reason is required",
    "ReleaseLegalHoldRequest.id": "id is required",
    "ErasePersonRequest.values": "values is required",
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
