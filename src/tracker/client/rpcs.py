"""The RPCs that a client calls."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from protobuf import Message, message_from_json_value
from protobuf.wkt import Empty

from tracker import pb
from tracker.pb.options import method_of
from tracker.transcoding.bindings import http_bindings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from protobuf import DescMethod

    from tracker.transcoding.bindings import HttpBinding
    from tracker.transcoding.json_text import JsonValue

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class Rpc(Generic[Q, A]):
    """One RPC, named by the types of its request and its answer, which are made when it is first called."""

    def __init__(self, types: Callable[[], tuple[type[Q], type[A]]]) -> None:
        self._types = types

    @cached_property
    def request(self) -> type[Q]:
        """The type of its request."""
        return self._types()[0]

    @cached_property
    def answer(self) -> type[A]:
        """The type of its answer."""
        return self._types()[1]

    @cached_property
    def method(self) -> DescMethod:
        """Its descriptor."""
        return method_of(self.request.desc())

    def of(self, fields: Mapping[str, JsonValue]) -> Q:
        """Return a request of these fields, as JSON has them, without those that the request lacks."""
        return message_from_json_value(self.request, dict(fields), ignore_unknown_fields=True)

    @cached_property
    def binding(self) -> HttpBinding:
        """How to reach the RPC over HTTP: with a body where there is a choice, since servers log URLs."""
        bindings = http_bindings(self.method)
        return next((binding for binding in bindings if binding.takes_body), bindings[0])


CREATE_API_KEY = Rpc(lambda: (pb.auth_pb.CreateApiKeyRequest, pb.auth_pb.CreateApiKeyResponse))
END_SESSION = Rpc(lambda: (pb.auth_pb.EndSessionRequest, pb.auth_pb.EndSessionResponse))
LIST_API_KEYS = Rpc(lambda: (pb.auth_pb.ListApiKeysRequest, pb.auth_pb.ListApiKeysResponse))
LIST_SESSIONS = Rpc(lambda: (pb.auth_pb.ListSessionsRequest, pb.auth_pb.ListSessionsResponse))
ME = Rpc(lambda: (pb.auth_pb.MeRequest, pb.auth_pb.MeResponse))
REVOKE_API_KEY = Rpc(lambda: (pb.auth_pb.RevokeApiKeyRequest, pb.auth_pb.RevokeApiKeyResponse))
ROTATE_API_KEY = Rpc(lambda: (pb.auth_pb.RotateApiKeyRequest, pb.auth_pb.RotateApiKeyResponse))
CREATE_AUDIT_CHECKPOINT = Rpc(
    lambda: (pb.audit_pb.CreateAuditCheckpointRequest, pb.audit_pb.CreateAuditCheckpointResponse)
)
ERASE_AUDIT_VALUE = Rpc(lambda: (pb.audit_pb.EraseAuditValueRequest, pb.audit_pb.EraseAuditValueResponse))
LIST_AUDIT_ENTRIES = Rpc(lambda: (pb.audit_pb.ListAuditEntriesRequest, pb.audit_pb.ListAuditEntriesResponse))
CREATE_UPDATE_CATALOG = Rpc(
    lambda: (pb.catalog_pb.CreateUpdateCatalogRequest, pb.catalog_pb.CreateUpdateCatalogResponse)
)
DELETE_CATALOG = Rpc(lambda: (pb.catalog_pb.DeleteCatalogRequest, pb.catalog_pb.DeleteCatalogResponse))
GET_CATALOG = Rpc(lambda: (pb.catalog_pb.GetCatalogRequest, pb.catalog_pb.GetCatalogResponse))
GET_VERSION_COMPLIANCE = Rpc(
    lambda: (pb.catalog_pb.GetVersionComplianceRequest, pb.catalog_pb.GetVersionComplianceResponse)
)
LIST_CATALOGS = Rpc(lambda: (pb.catalog_pb.ListCatalogsRequest, pb.catalog_pb.ListCatalogsResponse))
UPDATE_DEPENDENCIES = Rpc(
    lambda: (pb.catalog_pb.UpdateDependenciesRequest, pb.catalog_pb.UpdateDependenciesResponse)
)
UPDATE_VERSIONS = Rpc(lambda: (pb.catalog_pb.UpdateVersionsRequest, pb.catalog_pb.UpdateVersionsResponse))
ADD_CHANGELOG_ENTRY = Rpc(
    lambda: (pb.event_pb.AddChangelogEntryRequest, pb.event_pb.AddChangelogEntryResponse)
)
CREATE_EVENT = Rpc(lambda: (pb.event_pb.CreateEventRequest, pb.event_pb.CreateEventResponse))
DELETE_EVENTS = Rpc(lambda: (pb.event_pb.DeleteEventRequest, pb.event_pb.DeleteEventResponse))
GET_EVENT = Rpc(lambda: (pb.event_pb.GetEventRequest, pb.event_pb.GetEventResponse))
GET_EVENT_CHANGELOG = Rpc(
    lambda: (pb.event_pb.GetEventChangelogRequest, pb.event_pb.GetEventChangelogResponse)
)
GET_EVENT_FACETS = Rpc(lambda: (pb.event_pb.GetEventFacetsRequest, pb.event_pb.GetEventFacetsResponse))
GET_EVENT_HISTOGRAM = Rpc(
    lambda: (pb.event_pb.GetEventHistogramRequest, pb.event_pb.GetEventHistogramResponse)
)
GET_EVENT_OVERLAPS = Rpc(lambda: (pb.event_pb.GetEventOverlapsRequest, pb.event_pb.GetEventOverlapsResponse))
IMPORT_EVENTS = Rpc(lambda: (pb.event_pb.ImportEventsRequest, pb.event_pb.ImportEventsResponse))
LIST_EVENTS = Rpc(lambda: (pb.event_pb.ListEventsRequest, pb.event_pb.ListEventsResponse))
LIST_RELATED_EVENTS = Rpc(
    lambda: (pb.event_pb.ListRelatedEventsRequest, pb.event_pb.ListRelatedEventsResponse)
)
SEARCH_EVENTS = Rpc(lambda: (pb.event_pb.SearchEventsRequest, pb.event_pb.SearchEventsResponse))
UPDATE_EVENT = Rpc(lambda: (pb.event_pb.UpdateEventRequest, pb.event_pb.UpdateEventResponse))
WATCH_EVENTS = Rpc(lambda: (pb.event_pb.WatchEventsRequest, pb.event_pb.WatchEventsResponse))
EXPLAIN_INCIDENT = Rpc(
    lambda: (pb.incident_pb.ExplainIncidentRequest, pb.incident_pb.ExplainIncidentResponse)
)
CREATE_LINK = Rpc(lambda: (pb.link_pb.CreateLinkRequest, pb.link_pb.CreateLinkResponse))
DELETE_LINK = Rpc(lambda: (pb.link_pb.DeleteLinkRequest, Empty))
LIST_LINKS = Rpc(lambda: (pb.link_pb.ListLinksRequest, pb.link_pb.ListLinksResponse))
LINK_CHANGE = Rpc(lambda: (pb.incident_pb.LinkChangeRequest, pb.incident_pb.LinkChangeResponse))
CHECK_DEPLOYMENT = Rpc(
    lambda: (pb.deployment_pb.CheckDeploymentRequest, pb.deployment_pb.CheckDeploymentResponse)
)
CREATE_FREEZE_WINDOW = Rpc(
    lambda: (pb.freeze_pb.CreateFreezeWindowRequest, pb.freeze_pb.CreateFreezeWindowResponse)
)
DELETE_FREEZE_WINDOW = Rpc(
    lambda: (pb.freeze_pb.DeleteFreezeWindowRequest, pb.freeze_pb.DeleteFreezeWindowResponse)
)
LIST_FREEZE_OCCURRENCES = Rpc(
    lambda: (pb.freeze_pb.ListFreezeOccurrencesRequest, pb.freeze_pb.ListFreezeOccurrencesResponse)
)
LIST_FREEZE_WINDOWS = Rpc(
    lambda: (pb.freeze_pb.ListFreezeWindowsRequest, pb.freeze_pb.ListFreezeWindowsResponse)
)
UPDATE_FREEZE_WINDOW = Rpc(
    lambda: (pb.freeze_pb.UpdateFreezeWindowRequest, pb.freeze_pb.UpdateFreezeWindowResponse)
)
GET_INTAKE_MESSAGE = Rpc(
    lambda: (pb.intake_pb.GetIntakeMessageRequest, pb.intake_pb.GetIntakeMessageResponse)
)
LIST_INTAKE_MESSAGES = Rpc(
    lambda: (pb.intake_pb.ListIntakeMessagesRequest, pb.intake_pb.ListIntakeMessagesResponse)
)
LIST_INTAKES = Rpc(lambda: (pb.intake_pb.ListIntakesRequest, pb.intake_pb.ListIntakesResponse))
REPLAY_INTAKE_MESSAGE = Rpc(
    lambda: (pb.intake_pb.ReplayIntakeMessageRequest, pb.intake_pb.ReplayIntakeMessageResponse)
)
TEST_INTAKE = Rpc(lambda: (pb.intake_pb.TestIntakeRequest, pb.intake_pb.TestIntakeResponse))
CREATE_LEGAL_HOLD = Rpc(
    lambda: (pb.retention_pb.CreateLegalHoldRequest, pb.retention_pb.CreateLegalHoldResponse)
)
CREATE_RETENTION_POLICY = Rpc(
    lambda: (pb.retention_pb.CreateRetentionPolicyRequest, pb.retention_pb.CreateRetentionPolicyResponse)
)
DELETE_RETENTION_POLICY = Rpc(
    lambda: (pb.retention_pb.DeleteRetentionPolicyRequest, pb.retention_pb.DeleteRetentionPolicyResponse)
)
ERASE_PERSON = Rpc(lambda: (pb.retention_pb.ErasePersonRequest, pb.retention_pb.ErasePersonResponse))
LIST_LEGAL_HOLDS = Rpc(
    lambda: (pb.retention_pb.ListLegalHoldsRequest, pb.retention_pb.ListLegalHoldsResponse)
)
LIST_RETENTION_POLICIES = Rpc(
    lambda: (pb.retention_pb.ListRetentionPoliciesRequest, pb.retention_pb.ListRetentionPoliciesResponse)
)
PREVIEW_RETENTION = Rpc(
    lambda: (pb.retention_pb.PreviewRetentionRequest, pb.retention_pb.PreviewRetentionResponse)
)
RELEASE_LEGAL_HOLD = Rpc(
    lambda: (pb.retention_pb.ReleaseLegalHoldRequest, pb.retention_pb.ReleaseLegalHoldResponse)
)
RUN_RETENTION_POLICY = Rpc(
    lambda: (pb.retention_pb.RunRetentionPolicyRequest, pb.retention_pb.RunRetentionPolicyResponse)
)
UPDATE_RETENTION_POLICY = Rpc(
    lambda: (pb.retention_pb.UpdateRetentionPolicyRequest, pb.retention_pb.UpdateRetentionPolicyResponse)
)
CREATE_LOCK = Rpc(lambda: (pb.lock_pb.CreateLockRequest, pb.lock_pb.CreateLockResponse))
GET_LOCK = Rpc(lambda: (pb.lock_pb.GetLockRequest, pb.lock_pb.GetLockResponse))
LIST_LOCKS = Rpc(lambda: (pb.lock_pb.ListLocksRequest, pb.lock_pb.ListLocksResponse))
RENEW_LOCK = Rpc(lambda: (pb.lock_pb.RenewLockRequest, pb.lock_pb.RenewLockResponse))
UN_LOCK = Rpc(lambda: (pb.lock_pb.UnLockRequest, pb.lock_pb.UnLockResponse))
UPDATE_LOCK = Rpc(lambda: (pb.lock_pb.UpdateLockRequest, pb.lock_pb.UpdateLockResponse))
LIST_STATES = Rpc(lambda: (pb.terraform_pb.ListStatesRequest, pb.terraform_pb.ListStatesResponse))
LIST_STATE_VERSIONS = Rpc(
    lambda: (pb.terraform_pb.ListStateVersionsRequest, pb.terraform_pb.ListStateVersionsResponse)
)
RESTORE_STATE_VERSION = Rpc(
    lambda: (pb.terraform_pb.RestoreStateVersionRequest, pb.terraform_pb.RestoreStateVersionResponse)
)
GET_DEPLOYED_VERSIONS = Rpc(
    lambda: (pb.version_pb.GetDeployedVersionsRequest, pb.version_pb.GetDeployedVersionsResponse)
)
CREATE_WEBHOOK = Rpc(lambda: (pb.webhook_pb.CreateWebhookRequest, pb.webhook_pb.CreateWebhookResponse))
DELETE_WEBHOOK = Rpc(lambda: (pb.webhook_pb.DeleteWebhookRequest, pb.webhook_pb.DeleteWebhookResponse))
LIST_WEBHOOK_DELIVERIES = Rpc(
    lambda: (pb.webhook_pb.ListWebhookDeliveriesRequest, pb.webhook_pb.ListWebhookDeliveriesResponse)
)
LIST_WEBHOOKS = Rpc(lambda: (pb.webhook_pb.ListWebhooksRequest, pb.webhook_pb.ListWebhooksResponse))
REPLAY_WEBHOOK_DELIVERIES = Rpc(
    lambda: (pb.webhook_pb.ReplayWebhookDeliveriesRequest, pb.webhook_pb.ReplayWebhookDeliveriesResponse)
)
ROTATE_WEBHOOK_SECRET = Rpc(
    lambda: (pb.webhook_pb.RotateWebhookSecretRequest, pb.webhook_pb.RotateWebhookSecretResponse)
)
TEST_WEBHOOK = Rpc(lambda: (pb.webhook_pb.TestWebhookRequest, pb.webhook_pb.TestWebhookResponse))
UPDATE_WEBHOOK = Rpc(lambda: (pb.webhook_pb.UpdateWebhookRequest, pb.webhook_pb.UpdateWebhookResponse))
GET_DELIVERY_METRICS = Rpc(
    lambda: (pb.delivery_pb.GetDeliveryMetricsRequest, pb.delivery_pb.GetDeliveryMetricsResponse)
)
