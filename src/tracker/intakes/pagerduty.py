"""The intake of PagerDuty's Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson

from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import json_response
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.api_keys import BEGINNING
from tracker.domain.events import FINISHED, attributes_of
from tracker.domain.query.fields import BY_NAME, SOURCE, label
from tracker.domain.query.tree import Not, one_of
from tracker.intakes import tags
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    bounded,
    divided,
    indented,
    json_object,
    moment,
    optional,
    own_key,
    part,
    refused,
    shortened,
    text,
)
from tracker.pb import event_pb
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRequest
    from tracker.errors import TrackerError
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

_LIMITS: Final = Limits(body_bytes=512 * 1024)
_SOURCE: Final = "pagerduty"
_KEY: Final = "dedup_key"
_LONGEST_KEY: Final = 255
_LATEST: Final = 20
"""Open incidents whose keys may differ by case alone."""
_PRIORITIES: Final = {
    "critical": event_pb.Priority.P1,
    "error": event_pb.Priority.P2,
    "warning": event_pb.Priority.P3,
    "info": event_pb.Priority.P5,
}
_LABELS: Final = ("severity", "component", "group", "class")
_DETAILS: Final = {"user": "owner", "revision": "version"}
"""The tags for details that Ansible's `pagerduty_change` sends under other names."""


class PagerDutyEvents:
    """Opens and closes incidents, and records changes, for clients of PagerDuty."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake.

        That of changes needs no permission, but CreateEvent does: an empty post is answered with 400 to
        callers without a key too, which is how Ansible checks the address.
        """
        route = partial(HttpRoute, limits=_LIMITS, foreign=ForeignTerms(None, _refusal, _routing_key))
        return (
            route("POST", "/v2/enqueue", self._enqueue, Permission.EVENT_WRITE),
            route("POST", "/v2/change/enqueue", self._record_change, None),
        )

    async def _enqueue(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = json_object(request.body)
        action, key = text(content, "event_action"), text(content, _KEY)
        if len(key) > _LONGEST_KEY:
            raise refused(_KEY, f"expected up to {_LONGEST_KEY} characters")
        match action:
            case "trigger":
                key = key or uuid4().hex
                await self._trigger(content, key, call)
            case "acknowledge" | "resolve" if key:
                await self._continue(content, key, call, resolved=action == "resolve")
            case "acknowledge" | "resolve":
                raise refused(_KEY, f"expected the key of the event to {action}")
            case _:
                raise refused("event_action", "expected one of trigger, acknowledge, resolve")
        answer = {"status": "success", "message": "Event processed", _KEY: key}
        return json_response(answer, HTTPStatus.ACCEPTED)

    async def _trigger(self, content: Mapping[str, Any], key: str, call: Call) -> None:
        """Open an incident, or change the one that is open; one that is closed stays closed."""
        asked = incident_request(content, key)
        attributes = asked.attributes or event_pb.EventAttributes()
        is_open, earlier = await self._find(key, call, is_new=True)
        if is_open is not None:
            attributes.external_id = attributes_of(is_open).external_id
            attributes.clear_field("status")
            attributes.clear_field("start_date")
        else:
            attributes.external_id = bounded(f"{key}#{earlier + 1}" if earlier else key)
        await self._recorder.create(asked, call, content)

    async def _continue(self, content: Mapping[str, Any], key: str, call: Call, *, resolved: bool) -> None:
        """Acknowledge or close the incident that is open; without one, nothing is left to do."""
        is_open, _ = await self._find(key, call)
        if is_open is None:
            return
        known = attributes_of(is_open)
        attributes = event_pb.EventAttributes(
            type=known.type,
            service=known.service,
            source=known.source,
            external_id=known.external_id,
            status=event_pb.Status.close if resolved else event_pb.Status.in_progress,
            end_date=moment(part(content, "payload"), "timestamp") if resolved else None,
        )
        request = event_pb.CreateEventRequest(title=is_open.title, attributes=attributes)
        await self._recorder.create(request, call, content, changes=True)

    async def _find(self, key: str, call: Call, *, is_new: bool = False) -> tuple[event_pb.Event | None, int]:
        """Return the open incident with a key, which may be new, and how many incidents have it."""
        ours = (one_of(SOURCE, (_SOURCE,)), one_of(BY_NAME["type"], (event_pb.Type.incident,)))
        # The first incident has the key as its id, which an index finds.
        first = await self._recorder.find((one_of(BY_NAME["external_id"], (bounded(key),)), *ours), call, 1)
        if is_new and not first.events:
            return None, 0
        if first.events and attributes_of(first.events[0]).status not in FINISHED:
            return first.events[0], 1
        same = (one_of(label(_KEY), (key,)), *ours)
        lasting = Not(one_of(BY_NAME["status"], sorted(FINISHED)))
        found = await self._recorder.find((*same, lasting), call, _LATEST)
        for event in found.events:
            if attributes_of(event).labels.get(_KEY) == key:  # which a search finds in any case
                return event, found.total_count
        return None, (await self._recorder.find(same, call, 1)).total_count

    async def _record_change(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = json_object(request.body)
        await self._recorder.create(change_request(content), call, content)
        return json_response({"status": "success", "message": "Change event processed"}, HTTPStatus.ACCEPTED)


def incident_request(content: Mapping[str, Any], key: str) -> event_pb.CreateEventRequest:
    """Return the request that records the incident of a trigger.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    payload = part(content, "payload")
    severity = text(payload, "severity").lower()
    labels = {name: text(payload, name) for name in _LABELS}
    labels |= {"host": text(payload, "source"), "client": text(content, "client")}
    attributes = event_pb.EventAttributes(
        type=event_pb.Type.incident,
        status=event_pb.Status.open,
        priority=_PRIORITIES.get(severity, event_pb.Priority(0)),
        source=_SOURCE,
        labels={_KEY: key} | {name: value[:LONGEST_LABEL] for name, value in labels.items() if value},
    )
    asked = _event_request(content, payload, attributes)
    attributes.service = attributes.service or text(payload, "component")[:LONGEST] or "unknown"
    return asked


def change_request(content: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    """Return the request that records a change event.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    payload = part(content, "payload")
    attributes = event_pb.EventAttributes(source=text(payload, "source")[:LONGEST] or _SOURCE)
    asked = _event_request(content, payload, attributes)
    attributes.service = attributes.service or "unknown"
    attributes.type = attributes.type or event_pb.Type.operation
    attributes.status = attributes.status or event_pb.Status.done
    return asked


def _event_request(
    content: Mapping[str, Any], payload: Mapping[str, Any], attributes: event_pb.EventAttributes
) -> event_pb.CreateEventRequest:
    """Return the request for what both kinds of messages have; `attributes` are what one of them adds."""
    summary = text(payload, "summary")
    if not summary.strip():
        raise refused("payload.summary", "expected a text")
    details = payload.get("custom_details")
    lines = [*_links(content)]
    if isinstance(details, dict):
        plain = {k: v for k, v in details.items() if isinstance(v, str | int | float)}
        tags.apply((f"{_DETAILS.get(k, k)}:{_shown(v)}" for k, v in plain.items()), attributes)
        details = {k: v for k, v in details.items() if k not in plain and v is not None}
    if details:
        lines.append(details if isinstance(details, str) else indented(details))
    title, message = divided(summary, "\n".join(lines))
    attributes.message = shortened(message)
    attributes.start_date = moment(payload, "timestamp")
    return event_pb.CreateEventRequest(title=title, attributes=attributes)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _links(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the links of a message as lines."""
    for link in optional(content, "links", list) or ():
        if isinstance(link, dict) and (address := text(link, "href")):
            name = text(link, "text")
            yield f"{name}: {address}" if name else address
    if address := text(content, "client_url"):
        yield address


def _routing_key(body: bytes) -> str | None:
    """Return the routing key of a message; what is not a key of Tracker counts as none."""
    if BEGINNING.encode() not in body:
        return None
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    key = content.get("routing_key") if isinstance(content, dict) else None
    return own_key(key) if isinstance(key, str) else None


def _refusal(error: TrackerError) -> HttpResponse:
    status = "invalid event" if error.reason.http_status == HTTPStatus.BAD_REQUEST else "error"
    content = {"status": status, "message": error.message, "errors": [error.message]}
    return json_response(content, error.reason.http_status)
