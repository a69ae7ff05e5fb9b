"""The messages of webhooks: which changes each one hears of, and in which form."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from tracker.domain.access import Scope
from tracker.domain.events import event_id
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EventFilter, both
from tracker.domain.scopes import events_within
from tracker.domain.times import micros
from tracker.pb import event_pb, webhook_pb
from tracker.services.events.filters import with_query
from tracker.stores.changes import ChangeKind
from tracker.stores.webhooks import Delivery
from tracker.time_text import moment_text

if TYPE_CHECKING:
    from tracker import time_text
    from tracker.domain.query.tree import Node
    from tracker.stores.changes import Change

TEST: Final = "webhook.test"
"""The type of the message that tests a webhook."""

TYPES: Final = {
    ChangeKind.CREATED: "event.created",
    ChangeKind.UPDATED: "event.updated",
    ChangeKind.DELETED: "event.deleted",
}


def query_of(webhook: webhook_pb.Webhook, clock: time_text.Clock) -> Node:
    """Return the query for the events that a webhook hears of, at a moment.

    Raises:
        TrackerError: INVALID_ARGUMENT; its query can't be parsed.
    """
    query = with_query(EventFilter(), webhook.query, clock).query
    if not webhook.scopes:
        return query
    scopes = (
        Scope(tuple(each.services), tuple(each.environments), tuple(each.teams)) for each in webhook.scopes
    )
    return both(query, events_within(tuple(scopes)))


def message_of(change: Change, webhook: webhook_pb.Webhook, query: Node) -> Delivery | None:
    """Return the message about a change, or None where a webhook doesn't hear of it.

    Its id is always the same, so that a change that is read again is sent once.
    """
    event = change.before if change.kind == ChangeKind.DELETED else change.after
    if change.kind not in TYPES or not isinstance(event, event_pb.Event):  # of another version
        return None
    kind = ChangeKind(change.kind)
    if webhook.created_at is not None and change.position.at < micros(webhook.created_at):
        return None
    if webhook.changes and webhook_pb.Webhook.Change(kind) not in webhook.changes:
        return None
    if not matches(query, event):
        return None
    place = f"{webhook.id} {change.position.log} {change.position.number} {change.position.at}"
    message_id = f"msg_{hashlib.sha256(place.encode()).hexdigest()[:32]}"
    return message(message_id, webhook, TYPES[kind], change.position.at, event)


def message(
    message_id: str, webhook: webhook_pb.Webhook, kind: str, at: int, event: event_pb.Event
) -> Delivery:
    """Return a message about an event, due at once."""
    data, time = event.to_json(), moment_text(at)
    if webhook.format is webhook_pb.WebhookFormat.cloudevents:
        content_type = "application/cloudevents+json; charset=utf-8"
        fields = {
            "specversion": "1.0",
            "id": message_id,
            "source": "tracker",
            "type": f"tracker.{kind}",
            "subject": event_id(event),
            "time": time,
            "datacontenttype": "application/json",
        }
    else:
        content_type = "application/json"
        fields = {"type": kind, "timestamp": time}
    head = json.dumps(fields, separators=(",", ":"))[:-1]
    body = f'{head},"data":{data}}}'
    return Delivery(
        message_id, webhook.id, at, kind, event_id(event), content_type, body.encode(), next_at=at
    )
