"""The errors of calls for events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.events import EventId, ExternalId, SlackId
from tracker.errors import FieldViolation, Reason, TrackerError

if TYPE_CHECKING:
    from tracker.domain.events import EventKey


def event_not_found(key: EventKey) -> TrackerError:
    """Return the error for an event that does not exist."""
    kind = {EventId: "id", SlackId: "slack id", ExternalId: "external id"}[type(key)]
    return TrackerError(Reason.EVENT_NOT_FOUND, f"no event found in tracker for {kind} {key.value}")


def no_linked_event(related_id: str) -> TrackerError:
    """Return the error for a link to an event that does not exist."""
    field = "attributes.related_id"
    message = f"no event found in tracker for {field} {related_id}"
    return TrackerError(
        Reason.RELATED_EVENT_NOT_FOUND,
        message,
        metadata={"related_id": related_id},
        violations=[FieldViolation(field, message)],
    )


def slack_id_taken(slack_id: str, event_id: str) -> TrackerError:
    """Return the error for the Slack id of another event."""
    message = f"slack_id {slack_id} already belongs to the event {event_id}"
    metadata = {"slack_id": slack_id, "event_id": event_id}
    return TrackerError(Reason.SLACK_ID_TAKEN, message, metadata=metadata)


def external_id_taken(external: ExternalId, event_id: str) -> TrackerError:
    """Return the error for the external id of another event of the same source."""
    message = f"the external_id {external.value} of {external.source} already belongs to the event {event_id}"
    metadata = {"source": external.source, "external_id": external.value, "event_id": event_id}
    return TrackerError(Reason.EXTERNAL_ID_TAKEN, message, metadata=metadata)


def slack_id_set(slack_id: str) -> TrackerError:
    """Return the error for a second Slack id of an event."""
    message = f"event already has a slack_id: {slack_id}"
    return TrackerError(Reason.SLACK_ID_SET, message, metadata={"slack_id": slack_id})
