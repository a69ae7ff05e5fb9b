"""The RPCs that a client calls."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from protobuf import Message, message_from_json_value
from protobuf.wkt import Empty

from tracker.pb import (
    FILES,
    audit_pb,
    auth_pb,
    catalog_pb,
    delivery_pb,
    deployment_pb,
    event_pb,
    freeze_pb,
    incident_pb,
    intake_pb,
    link_pb,
    lock_pb,
    retention_pb,
    terraform_pb,
    version_pb,
    webhook_pb,
)
from tracker.transcoding.bindings import http_bindings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf import DescMethod

    from tracker.transcoding.bindings import HttpBinding
    from tracker.transcoding.json_text import JsonValue

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

_METHODS = {method.input: method for file in FILES for service in file.services for method in service.methods}


class Rpc(Generic[Q, A]):
    """One RPC, named by the types of its request and its answer."""

    def __init__(self, request: type[Q], answer: type[A]) -> None:
        self.request = request
        self.answer = answer
        self.method: DescMethod = _METHODS[request.desc()]

    def of(self, fields: Mapping[str, JsonValue]) -> Q:
        """Return a request of these fields, as JSON has them, without those that the request lacks."""
        return message_from_json_value(self.request, dict(fields), ignore_unknown_fields=True)

    @cached_property
    def binding(self) -> HttpBinding:
        """How to reach the RPC over HTTP: with a body where there is a choice, since servers log URLs."""
        bindings = http_bindings(self.method)
        return next((binding for binding in bindings if binding.takes_body), bindings[0])


CREATE_API_KEY = Rpc(auth_pb.CreateApiKeyRequest, auth_pb.CreateApiKeyResponse)
END_SESSION = Rpc(auth_pb.EndSessionRequest, auth_pb.EndSessionResponse)
LIST_API_KEYS = Rpc(auth_pb.ListApiKeysRequest, auth_pb.ListApiKeysResponse)
LIST_SESSIONS = Rpc(auth_pb.ListSessionsRequest, auth_pb.ListSessionsResponse)
ME = Rpc(auth_pb.MeRequest, auth_pb.MeResponse)
REVOKE_API_KEY = Rpc(auth_pb.RevokeApiKeyRequest, auth_pb.RevokeApiKeyResponse)
ROTATE_API_KEY = Rpc(auth_pb.RotateApiKeyRequest, auth_pb.RotateApiKeyResponse)
CREATE_AUDIT_CHECKPOINT = Rpc(audit_pb.CreateAuditCheckpointRequest, audit_pb.CreateAuditCheckpointResponse)
ERASE_AUDIT_VALUE = Rpc(audit_pb.EraseAuditValueRequest, audit_pb.EraseAuditValueResponse)
LIST_AUDIT_ENTRIES = Rpc(audit_pb.ListAuditEntriesRequest, audit_pb.ListAuditEntriesResponse)
CREATE_UPDATE_CATALOG = Rpc(catalog_pb.CreateUpdateCatalogRequest, catalog_pb.CreateUpdateCatalogResponse)
DELETE_CATALOG = Rpc(catalog_pb.DeleteCatalogRequest, catalog_pb.DeleteCatalogResponse)
GET_CATALOG = Rpc(catalog_pb.GetCatalogRequest, catalog_pb.GetCatalogResponse)
GET_VERSION_COMPLIANCE = Rpc(catalog_pb.GetVersionComplianceRequest, catalog_pb.GetVersionComplianceResponse)
LIST_CATALOGS = Rpc(catalog_pb.ListCatalogsRequest, catalog_pb.ListCatalogsResponse)
UPDATE_DEPENDENCIES = Rpc(catalog_pb.UpdateDependenciesRequest, catalog_pb.UpdateDependenciesResponse)
UPDATE_VERSIONS = Rpc(catalog_pb.UpdateVersionsRequest, catalog_pb.UpdateVersionsResponse)
ADD_CHANGELOG_ENTRY = Rpc(event_pb.AddChangelogEntryRequest, event_pb.AddChangelogEntryResponse)
CREATE_EVENT = Rpc(event_pb.CreateEventRequest, event_pb.CreateEventResponse)
DELETE_EVENTS = Rpc(event_pb.DeleteEventRequest, event_pb.DeleteEventResponse)
GET_EVENT = Rpc(event_pb.GetEventRequest, event_pb.GetEventResponse)
GET_EVENT_CHANGELOG = Rpc(event_pb.GetEventChangelogRequest, event_pb.GetEventChangelogResponse)
GET_EVENT_FACETS = Rpc(event_pb.GetEventFacetsRequest, event_pb.GetEventFacetsResponse)
GET_EVENT_HISTOGRAM = Rpc(event_pb.GetEventHistogramRequest, event_pb.GetEventHistogramResponse)
GET_EVENT_OVERLAPS = Rpc(event_pb.GetEventOverlapsRequest, event_pb.GetEventOverlapsResponse)
IMPORT_EVENTS = Rpc(event_pb.ImportEventsRequest, event_pb.ImportEventsResponse)
LIST_EVENTS = Rpc(event_pb.ListEventsRequest, event_pb.ListEventsResponse)
LIST_RELATED_EVENTS = Rpc(event_pb.ListRelatedEventsRequest, event_pb.ListRelatedEventsResponse)
SEARCH_EVENTS = Rpc(event_pb.SearchEventsRequest, event_pb.SearchEventsResponse)
UPDATE_EVENT = Rpc(event_pb.UpdateEventRequest, event_pb.UpdateEventResponse)
WATCH_EVENTS = Rpc(event_pb.WatchEventsRequest, event_pb.WatchEventsResponse)
EXPLAIN_INCIDENT = Rpc(incident_pb.ExplainIncidentRequest, incident_pb.ExplainIncidentResponse)
CREATE_LINK = Rpc(link_pb.CreateLinkRequest, link_pb.CreateLinkResponse)
DELETE_LINK = Rpc(link_pb.DeleteLinkRequest, Empty)
LIST_LINKS = Rpc(link_pb.ListLinksRequest, link_pb.ListLinksResponse)
LINK_CHANGE = Rpc(incident_pb.LinkChangeRequest, incident_pb.LinkChangeResponse)
CHECK_DEPLOYMENT = Rpc(deployment_pb.CheckDeploymentRequest, deployment_pb.CheckDeploymentResponse)
CREATE_FREEZE_WINDOW = Rpc(freeze_pb.CreateFreezeWindowRequest, freeze_pb.CreateFreezeWindowResponse)
DELETE_FREEZE_WINDOW = Rpc(freeze_pb.DeleteFreezeWindowRequest, freeze_pb.DeleteFreezeWindowResponse)
LIST_FREEZE_OCCURRENCES = Rpc(freeze_pb.ListFreezeOccurrencesRequest, freeze_pb.ListFreezeOccurrencesResponse)
LIST_FREEZE_WINDOWS = Rpc(freeze_pb.ListFreezeWindowsRequest, freeze_pb.ListFreezeWindowsResponse)
UPDATE_FREEZE_WINDOW = Rpc(freeze_pb.UpdateFreezeWindowRequest, freeze_pb.UpdateFreezeWindowResponse)
GET_INTAKE_MESSAGE = Rpc(intake_pb.GetIntakeMessageRequest, intake_pb.GetIntakeMessageResponse)
LIST_INTAKE_MESSAGES = Rpc(intake_pb.ListIntakeMessagesRequest, intake_pb.ListIntakeMessagesResponse)
LIST_INTAKES = Rpc(intake_pb.ListIntakesRequest, intake_pb.ListIntakesResponse)
REPLAY_INTAKE_MESSAGE = Rpc(intake_pb.ReplayIntakeMessageRequest, intake_pb.ReplayIntakeMessageResponse)
TEST_INTAKE = Rpc(intake_pb.TestIntakeRequest, intake_pb.TestIntakeResponse)
CREATE_LEGAL_HOLD = Rpc(retention_pb.CreateLegalHoldRequest, retention_pb.CreateLegalHoldResponse)
CREATE_RETENTION_POLICY = Rpc(
    retention_pb.CreateRetentionPolicyRequest, retention_pb.CreateRetentionPolicyResponse
)
DELETE_RETENTION_POLICY = Rpc(
    retention_pb.DeleteRetentionPolicyRequest, retention_pb.DeleteRetentionPolicyResponse
)
ERASE_PERSON = Rpc(retention_pb.ErasePersonRequest, retention_pb.ErasePersonResponse)
LIST_LEGAL_HOLDS = Rpc(retention_pb.ListLegalHoldsRequest, retention_pb.ListLegalHoldsResponse)
LIST_RETENTION_POLICIES = Rpc(
    retention_pb.ListRetentionPoliciesRequest, retention_pb.ListRetentionPoliciesResponse
)
PREVIEW_RETENTION = Rpc(retention_pb.PreviewRetentionRequest, retention_pb.PreviewRetentionResponse)
RELEASE_LEGAL_HOLD = Rpc(retention_pb.ReleaseLegalHoldRequest, retention_pb.ReleaseLegalHoldResponse)
RUN_RETENTION_POLICY = Rpc(retention_pb.RunRetentionPolicyRequest, retention_pb.RunRetentionPolicyResponse)
UPDATE_RETENTION_POLICY = Rpc(
    retention_pb.UpdateRetentionPolicyRequest, retention_pb.UpdateRetentionPolicyResponse
)
CREATE_LOCK = Rpc(lock_pb.CreateLockRequest, lock_pb.CreateLockResponse)
GET_LOCK = Rpc(lock_pb.GetLockRequest, lock_pb.GetLockResponse)
LIST_LOCKS = Rpc(lock_pb.ListLocksRequest, lock_pb.ListLocksResponse)
RENEW_LOCK = Rpc(lock_pb.RenewLockRequest, lock_pb.RenewLockResponse)
UN_LOCK = Rpc(lock_pb.UnLockRequest, lock_pb.UnLockResponse)
UPDATE_LOCK = Rpc(lock_pb.UpdateLockRequest, lock_pb.UpdateLockResponse)
LIST_STATES = Rpc(terraform_pb.ListStatesRequest, terraform_pb.ListStatesResponse)
LIST_STATE_VERSIONS = Rpc(terraform_pb.ListStateVersionsRequest, terraform_pb.ListStateVersionsResponse)
RESTORE_STATE_VERSION = Rpc(terraform_pb.RestoreStateVersionRequest, terraform_pb.RestoreStateVersionResponse)
GET_DEPLOYED_VERSIONS = Rpc(version_pb.GetDeployedVersionsRequest, version_pb.GetDeployedVersionsResponse)
CREATE_WEBHOOK = Rpc(webhook_pb.CreateWebhookRequest, webhook_pb.CreateWebhookResponse)
DELETE_WEBHOOK = Rpc(webhook_pb.DeleteWebhookRequest, webhook_pb.DeleteWebhookResponse)
LIST_WEBHOOK_DELIVERIES = Rpc(
    webhook_pb.ListWebhookDeliveriesRequest, webhook_pb.ListWebhookDeliveriesResponse
)
LIST_WEBHOOKS = Rpc(webhook_pb.ListWebhooksRequest, webhook_pb.ListWebhooksResponse)
REPLAY_WEBHOOK_DELIVERIES = Rpc(
    webhook_pb.ReplayWebhookDeliveriesRequest, webhook_pb.ReplayWebhookDeliveriesResponse
)
ROTATE_WEBHOOK_SECRET = Rpc(webhook_pb.RotateWebhookSecretRequest, webhook_pb.RotateWebhookSecretResponse)
TEST_WEBHOOK = Rpc(webhook_pb.TestWebhookRequest, webhook_pb.TestWebhookResponse)
UPDATE_WEBHOOK = Rpc(webhook_pb.UpdateWebhookRequest, webhook_pb.UpdateWebhookResponse)
GET_DELIVERY_METRICS = Rpc(delivery_pb.GetDeliveryMetricsRequest, delivery_pb.GetDeliveryMetricsResponse)
