"""The messages of webhooks: which changes each one gets, and in which form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.access import Scope
from tracker.domain.events import attributes_of, event_id
from tracker.domain.query.fields import BY_NAME
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EventFilter, both
from tracker.domain.scopes import events_within
from tracker.domain.telling_times import end_of_quiet, next_at
from tracker.domain.times import duration_micros, micros
from tracker.pb import event_pb, webhook_pb
from tracker.services.events.filters import with_query
from tracker.services.webhooks.cdevents import cdevent
from tracker.services.webhooks.notices import news_of
from tracker.stores.changes import ChangeKind
from tracker.stores.webhooks import FOREVER, Delivery
from tracker.time_text import HOUR, MINUTE, moment_text, read_zone
from tracker.traces import HEADER, parent_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from tracker import time_text
    from tracker.domain.query.tree import Node
    from tracker.stores.changes import Change

TEST: Final = "webhook.test"
"""The type of the message that tests a webhook."""

_Format = webhook_pb.WebhookFormat
FOR_PEOPLE: Final = frozenset({_Format.slack, _Format.teams, _Format.grafana, _Format.apprise})
"""Formats of messages for people, whose addresses or tokens are secret."""

SUMMARY: Final = "summary"
"""The thread of messages that are sent as one."""

_GROUP: Final = 6 * HOUR
_STORED_WITHIN: Final = MINUTE

TYPES: Final = {
    ChangeKind.CREATED: "event.created",
    ChangeKind.UPDATED: "event.updated",
    ChangeKind.DELETED: "event.deleted",
}


def query_of(webhook: webhook_pb.Webhook, clock: time_text.Clock) -> Node:
    """Return the query for the events that a webhook gets, at a moment.

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


@dataclass(frozen=True, slots=True)
class Moment:
    """When a message is made (microseconds since the epoch), and the zone of times that name none."""

    now: int
    zone: ZoneInfo


def message_of(change: Change, webhook: webhook_pb.Webhook, query: Node, moment: Moment) -> Delivery | None:
    """Return the message about a change, or None where a webhook doesn't hear of it.

    Its id is always the same, so that a change that is read again is sent once.
    """
    event = change.before if change.kind == ChangeKind.DELETED else change.after
    if change.kind not in TYPES or not isinstance(event, event_pb.Event):  # of another version
        return None
    kind = ChangeKind(change.kind)
    is_older = webhook.created_at is not None and change.position.at < micros(webhook.created_at)
    is_other = webhook.changes and webhook_pb.Webhook.Change(kind) not in webhook.changes
    if is_older or is_other or not matches(query, event):
        return None
    place = f"{webhook.id} {change.position.log} {change.position.number} {change.position.at}"
    message_id = f"msg_{hashlib.sha256(place.encode()).hexdigest()[:32]}"
    if webhook.format not in FOR_PEOPLE:
        return message(message_id, webhook, TYPES[kind], change.position.at, event)
    before = change.before if isinstance(change.before, event_pb.Event) else None
    news = news_of(before, event, change.position.at) if kind is ChangeKind.UPDATED else ()
    if kind is ChangeKind.UPDATED and not news:
        return None
    told = message(message_id, webhook, TYPES[kind], change.position.at, event, news)
    return _at_its_time(told, webhook, event, moment)


def _at_its_time(
    told: Delivery, webhook: webhook_pb.Webhook, event: event_pb.Event, moment: Moment
) -> Delivery:
    """Return a message for people, due when they are to be told: at once, or with others in a summary."""
    if webhook.format is _Format.grafana:
        return told._replace(thread=_thread_of_event(event_id(event)))
    how = webhook.notification or webhook_pb.Notification()
    zone, at = read_zone(how.time_zone) if how.time_zone else None, moment.now
    zone = zone or moment.zone
    if how.digest_at:  # what comes just before may be stored too late for that one
        at = next_at(at + _STORED_WITHIN, how.digest_at, zone)
    at = end_of_quiet(at, how.quiet_hours, zone)
    if at != moment.now:
        return told._replace(next_at=at, thread=SUMMARY)
    is_thread = webhook.format is _Format.slack and how.channel
    return told._replace(thread=_thread_of(event, how)) if is_thread else told


def _thread_of(event: event_pb.Event, how: webhook_pb.Notification) -> str:
    """Return which thread a message about an event is in: that of its group, or of its deployment."""
    if how.group_by or how.group_for:
        values = [BY_NAME[name].value(event) for name in how.group_by if name in BY_NAME]
        return f"group:{hashlib.sha256(json.dumps(values).encode()).hexdigest()}"
    return _thread_of_event(attributes_of(event).related_id or event_id(event))


def _thread_of_event(id_: str) -> str:
    return f"event:{id_}"


def thread_micros(webhook: webhook_pb.Webhook) -> int:
    """Return how long after its last message a thread goes on."""
    how = webhook.notification or webhook_pb.Notification()
    if how.group_for is not None:
        return duration_micros(how.group_for)
    return _GROUP if how.group_by else FOREVER


def message(  # noqa: PLR0913, PLR0917 - a parameter for each field
    message_id: str,
    webhook: webhook_pb.Webhook,
    kind: str,
    at: int,
    event: event_pb.Event,
    news: Sequence[event_pb.ChangelogEntry] = (),
) -> Delivery:
    """Return a message about an event, due at once."""
    data, time = event.to_json(), moment_text(at)
    content_type = "application/cloudevents+json; charset=utf-8"
    cloud = {
        "specversion": "1.0",
        "id": message_id,
        "source": "tracker",
        "type": f"tracker.{kind}",
        "subject": event_id(event),
        "time": time,
        "datacontenttype": "application/json",
    }
    if trace_id := attributes_of(event).trace_id:
        cloud[HEADER] = parent_of(trace_id, message_id)
    if webhook.format is _Format.cdevents:
        body = cdevent(cloud, kind, event)
    elif webhook.format is _Format.cloudevents:
        body = _with_data(cloud, data)
    else:
        content_type = "application/json"
        body = _with_data({"type": kind, "timestamp": time}, data)
        if news:
            told = ",".join(each.to_json() for each in news)
            body = f'{body[:-1]},"news":[{told}]}}'
    return Delivery(
        message_id, webhook.id, at, kind, event_id(event), content_type, body.encode(), next_at=at
    )


def _with_data(head: Mapping[str, str], data: str) -> str:
    return f'{json.dumps(head, separators=(",", ":"))[:-1]},"data":{data}}}'
