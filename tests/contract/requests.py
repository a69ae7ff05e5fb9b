"""Requests that are wrong in one place, and what the rules of the protos say of them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeAlias

from protobuf import message_from_json_value

from tracker import pb
from tracker.errors import TrackerError
from tracker.transcoding.rules import check_rules

if TYPE_CHECKING:
    from protobuf import Message

    from tracker.transcoding.json_text import JsonValue

Json: TypeAlias = "dict[str, JsonValue]"

UUID = "0190d6e0-0000-7000-8000-000000000000"
EVENT: Json = {"title": "t", "attributes": {"service": "s", "type": "deployment"}}
ENTRY: Json = {"name": "n", "owner": "o", "version": "v"}
LINK: Json = {"name": "n", "url": "https://example.com"}
POLICY: Json = {"name": "old", "keepFor": "86400s"}
HOLD: Json = {"name": "case", "reason": "a case"}
FREEZE: Json = {
    "title": "n",
    "type": "FREEZE_TYPE_HARD",
    "startsAt": "2026-12-20T00:00:00Z",
    "endsAt": "2027-01-02T00:00:00Z",
    "services": ["s"],
}
WEBHOOK: Json = {"name": "n", "url": "http://127.0.0.1:9/hooks"}
PERIOD: Json = {"startDate": "2026-01-01", "endDate": "2026-01-31"}

VALID: dict[str, Json] = {
    "CreateEventRequest": EVENT,
    "ImportEventsRequest": {"events": [EVENT]},
    "UpdateEventRequest": {"id": UUID},
    "DeleteEventRequest": {"id": UUID},
    "GetEventRequest": {"id": UUID},
    "SearchEventsRequest": {"service": "s"},
    "ListEventsRequest": {},
    "TodayEventsRequest": {},
    "AddChangelogEntryRequest": {"id": UUID, "entry": {}},
    "GetEventChangelogRequest": {"id": UUID},
    "AddSlackIdRequest": {"id": UUID, "slackId": "1.2"},
    "GetEventStatsRequest": PERIOD,
    "GetEventStatsByMonthRequest": PERIOD,
    "GetEventFacetsRequest": {"fields": ["status"]},
    "GetEventHistogramRequest": {},
    "GetEventOverlapsRequest": {},
    "ListRelatedEventsRequest": {"id": UUID},
    "WatchEventsRequest": {},
    "CreateUpdateCatalogRequest": ENTRY,
    "GetCatalogRequest": {"name": "n"},
    "DeleteCatalogRequest": {"name": "n"},
    "ListCatalogsRequest": {},
    "GetVersionComplianceRequest": {},
    "UpdateVersionsRequest": {"name": "n"},
    "UpdateDependenciesRequest": {"name": "n"},
    "CreateLockRequest": {"service": "s"},
    "GetLockRequest": {"id": UUID},
    "UpdateLockRequest": {"id": UUID},
    "UnLockRequest": {"id": UUID},
    "RenewLockRequest": {"id": UUID},
    "CheckLockRequest": {"service": "s", "fencingToken": "1"},
    "ListLocksRequest": {},
    "ListLinksRequest": {},
    "CreateLinkRequest": LINK,
    "UpdateLinkRequest": {"id": UUID, **LINK},
    "DeleteLinkRequest": {"id": UUID},
    "GetAuthConfigRequest": {},
    "MeRequest": {},
    "ListSessionsRequest": {},
    "EndSessionRequest": {"id": "0123456789abcdef01234567"},
    "EndOtherSessionsRequest": {},
    "ListApiKeysRequest": {},
    "CreateApiKeyRequest": {"name": "ci"},
    "ListAuditEntriesRequest": {},
    "CreateAuditCheckpointRequest": {},
    "EraseAuditValueRequest": {"value": "alice"},
    "RotateApiKeyRequest": {"id": "0123456789abcdef01234567"},
    "RevokeApiKeyRequest": {"id": "0123456789abcdef01234567"},
    "ListUsersRequest": {},
    "CreateUserRequest": {"username": "ada", "password": "correct horse"},
    "UpdateUserRequest": {"id": "0123456789abcdef01234567"},
    "ListTeamsRequest": {},
    "CreateTeamRequest": {"name": "web"},
    "UpdateTeamRequest": {"id": "0123456789abcdef01234567", "name": "web"},
    "DeleteTeamRequest": {"id": "0123456789abcdef01234567"},
    "ListWebhooksRequest": {},
    "GetWebhookRequest": {"id": UUID},
    "CreateWebhookRequest": WEBHOOK,
    "UpdateWebhookRequest": {"id": UUID, **WEBHOOK},
    "RotateWebhookSecretRequest": {"id": UUID},
    "DeleteWebhookRequest": {"id": UUID},
    "TestWebhookRequest": {"id": UUID},
    "ListWebhookDeliveriesRequest": {"id": UUID},
    "ReplayWebhookDeliveriesRequest": {"id": UUID},
    "ExplainIncidentRequest": {"id": UUID},
    "LinkChangeRequest": {"id": UUID, "changeId": UUID, "link": "caused_by"},
    "GetDeployedVersionsRequest": {},
    "ListStatesRequest": {},
    "ListStateVersionsRequest": {"service": "s"},
    "RestoreStateVersionRequest": {"service": "s", "number": "1"},
    "CreateFreezeWindowRequest": FREEZE,
    "GetFreezeWindowRequest": {"id": UUID},
    "UpdateFreezeWindowRequest": {"id": UUID, **FREEZE},
    "DeleteFreezeWindowRequest": {"id": UUID},
    "ListFreezeWindowsRequest": {},
    "ListFreezeOccurrencesRequest": {},
    "ListIntakesRequest": {},
    "ListIntakeMessagesRequest": {},
    "GetIntakeMessageRequest": {"id": UUID},
    "ReplayIntakeMessageRequest": {"id": UUID},
    "TestIntakeRequest": {"sender": "flux", "body": "{}"},
    "GetDeliveryMetricsRequest": {},
    "CheckDeploymentRequest": {"service": "s", "environment": "production"},
    "CreateRetentionPolicyRequest": POLICY,
    "UpdateRetentionPolicyRequest": {"id": UUID, **POLICY},
    "DeleteRetentionPolicyRequest": {"id": UUID},
    "ListRetentionPoliciesRequest": {},
    "PreviewRetentionRequest": {"keepFor": "86400s"},
    "RunRetentionPolicyRequest": {"id": UUID},
    "CreateLegalHoldRequest": HOLD,
    "ReleaseLegalHoldRequest": {"id": UUID},
    "ListLegalHoldsRequest": {},
    "ErasePersonRequest": {"values": ["nobody"]},
}
"""The least that each request has to say."""

REQUESTS = {m.input.name: m.input for f in pb.FILES for s in f.services for m in s.methods}


def request_with(path: str, value: JsonValue) -> Message:
    """Return a request that is valid but for what stands at `path`, such as `CreateLockRequest.who`."""
    name, *fields = path.split(".")
    body = copy.deepcopy(VALID[name])
    at = body
    for field in fields[:-1]:
        below = at.setdefault(field, {})
        assert isinstance(below, dict)
        at = below
    at.pop("".join(part.capitalize() if i else part for i, part in enumerate(fields[-1].split("_"))), None)
    at[fields[-1]] = value
    return message_from_json_value(REQUESTS[name].type, body)


def violations(request: Message) -> dict[str, list[str]]:
    """Return what breaks a rule, by field, and how."""
    found: dict[str, list[str]] = {}
    try:
        check_rules(request)
    except TrackerError as error:
        for violation in error.violations:
            found.setdefault(violation.field, []).append(violation.description)
    return found


def broken(path: str, value: JsonValue) -> dict[str, list[str]]:
    return violations(request_with(path, value))


def field_of(path: str) -> str:
    return path.partition(".")[2]
