"""Reports what happens to events, to the log and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tracker.domain.events import FINISHED, attributes_of, metadata_of
from tracker.domain.times import duration_seconds
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from tracker.pb import event_pb
    from tracker.services.context import Call, Context


class EventObserver(Protocol):
    """What the services report of events, for metrics."""

    def event_status(self, service: str, status: str, environment: str) -> None:
        """An event was stored with a status, or an event's status changed to it."""

    def event_duration(self, service: str, status: str, environment: str, seconds: float) -> None:
        """An event ended after `seconds`."""


class EventReporter:
    """Reports what happens to events."""

    def __init__(self, context: Context, observer: EventObserver) -> None:
        self._context = context
        self._observer = observer

    def created(self, event: event_pb.Event, call: Call) -> None:
        """Report that an event was recorded."""
        self._count_status(event)
        attributes, metadata = attributes_of(event), metadata_of(event)
        self._context.report(
            call,
            "event created",
            id=metadata.id,
            title=event.title,
            message=attributes.message,
            type=wire_name(attributes.type),
            status=wire_name(attributes.status),
            priority=wire_name(attributes.priority),
            service=attributes.service,
            environment=wire_name(attributes.environment),
            impact=attributes.impact,
            owner=attributes.owner,
            pull_request=event.links.pull_request_link if event.links else "",
            created_at=metadata.created_at.to_json().strip('"') if metadata.created_at else "",
        )

    def updated(self, before: event_pb.Event, event: event_pb.Event, call: Call) -> None:
        """Report that an event was changed."""
        if attributes_of(before).status != attributes_of(event).status:
            self._count_status(event)
        self.log("event updated", event, call)

    def imported(self, answer: event_pb.ImportEventsResponse, call: Call) -> None:
        """Report that events were imported; metrics count only what happens now."""
        self._context.report(
            call,
            "events imported",
            stored=answer.stored,
            unchanged=answer.unchanged,
            replaced=answer.replaced,
            refused=len(answer.refused),
        )

    def log(self, message: str, event: event_pb.Event, call: Call, **more: str) -> None:
        """Log what happened to an event."""
        self._context.report(call, message, id=metadata_of(event).id, **more)

    def _count_status(self, event: event_pb.Event) -> None:
        attributes, elapsed = attributes_of(event), metadata_of(event).elapsed
        labels = (attributes.service, wire_name(attributes.status), wire_name(attributes.environment))
        self._observer.event_status(*labels)
        if attributes.status in FINISHED and elapsed is not None:
            self._observer.event_duration(*labels, duration_seconds(elapsed))
