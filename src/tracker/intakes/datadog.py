"""The intake of Datadog's Events API v1: https://docs.datadoghq.com/api/v1/events/."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tracker.api.http_exchange import json_response
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.events import attributes_of, event_time, metadata_of
from tracker.domain.query.fields import BY_NAME, SOURCE, TIME
from tracker.domain.query.tree import Not, Range, Term, one_of
from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.intakes import tags
from tracker.intakes.numbers import number_of
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    divided,
    json_object,
    number,
    optional,
    own_key,
    parameters,
    refused,
    shortened,
    text,
)
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.time_text import LATEST, MICROS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRequest
    from tracker.domain.query.tree import Node
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

E = TypeVar("E")

_PER_PAGE: Final = 1000
_LAST_PAGE: Final = 1_000_000
_MOST: Final = 10**19
_LONGEST_TEXT: Final = 4000
"""Characters of a text that `datadog-api-client` takes."""
_LATEST: Final = LATEST // MICROS
"""The last second of the year 9999."""
_MARKDOWN: Final = "%%%"
"""What is before and after a text in Markdown."""

STATUSES: Final = {
    **{name: event_pb.Status[name] for name in ("error", "warning", "success", "snapshot", "user_update")},
    "recommendation": event_pb.Status.recommandation,
    "info": event_pb.Status(0),
}
"""Statuses for types of alerts."""
ALERT_TYPES: Final = {status: name for name, status in STATUSES.items()} | {event_pb.Status.failure: "error"}
"""The types of alerts for statuses; the others are `info`."""
PRIORITIES: Final = {"low": event_pb.Priority.P5, "normal": event_pb.Priority(0)}
"""Priorities for those of Datadog."""
_LABELS: Final = ("host", "device_name", "aggregation_key")


class DatadogEvents:
    """Creates, returns and lists events for clients of Datadog."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""
        route = partial(HttpRoute, foreign=ForeignTerms(api_key, refusal), compressed=True)
        path, read = "/api/v1/events", Permission.EVENT_READ
        return (
            route("POST", path, self._create, Permission.EVENT_WRITE),
            route("GET", path, self._list, read),
            route("GET", f"{path}/{{event_id}}", self._get, read),
            route("GET", "/api/v1/validate", self._validate, Permission.EVENT_WRITE),
        )

    async def _validate(self, request: HttpRequest, call: Call) -> HttpResponse:  # noqa: ARG002 - a handler has both
        """Say that a key, which has passed the check of permissions before, is valid."""
        return json_response({"valid": True})

    async def _create(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = json_object(request.body)
        asked = event_request(content)
        event = await self._create_linked(asked, call, content)
        return json_response({"status": "ok", "event": self._json(event, call)}, HTTPStatus.ACCEPTED)

    async def _create_linked(
        self, asked: event_pb.CreateEventRequest, call: Call, content: Mapping[str, Any]
    ) -> event_pb.Event:
        """Record an event that is linked to the one that it names, or keeps its number if there is none."""
        related, attributes = optional(content, "related_event_id", int), asked.attributes
        if related is None or attributes is None:
            return await self._recorder.create(asked, call, content)
        attributes.related_id = await self._recorder.id_of(related) or ""
        if attributes.related_id:
            try:
                return await self._recorder.create(asked, call, content)
            except TrackerError as error:
                if error.reason is not Reason.RELATED_EVENT_NOT_FOUND:
                    raise
        attributes.related_id = ""
        attributes.labels = attributes.labels | {"related_event_id": str(related)}
        return await self._recorder.create(asked, call, content)

    async def _get(self, request: HttpRequest, call: Call) -> HttpResponse:
        event = await self._recorder.get(number("event_id", request.captures[0], _MOST), call)
        return json_response({"event": self._json(event, call)})

    async def _list(self, request: HttpRequest, call: Call) -> HttpResponse:
        given = parameters(request.query)
        wanted, page = _wanted(given), given.get("page")
        place = number("page", page, _LAST_PAGE) + 1 if page else None
        found = await self._recorder.find(wanted, call, _PER_PAGE, place)
        return json_response({"status": "ok", "events": [self._json(each, call) for each in found.events]})

    def _json(self, event: event_pb.Event, call: Call) -> dict[str, object]:
        attributes, own = attributes_of(event), number_of(metadata_of(event).id)
        labels = attributes.labels
        shown = event_pb.EventAttributes.from_binary(attributes.to_binary())
        shown.labels = {key: value for key, value in labels.items() if key not in _LABELS}
        return {
            "id": own,
            "id_str": str(own),
            "title": event.title,
            "text": attributes.message[:_LONGEST_TEXT],
            "date_happened": event_time(event) // MICROS,
            "alert_type": ALERT_TYPES.get(attributes.status, "info"),
            "priority": "low" if attributes.priority == event_pb.Priority.P5 else "normal",
            "source": attributes.source,
            "source_type_name": attributes.source,
            "tags": tags.tags_of(shown),
            "host": labels.get("host"),
            "device_name": labels.get("device_name"),
            "aggregation_key": labels.get("aggregation_key"),
            "handle": attributes.owner or None,
            "related_event_id": number_of(attributes.related_id) if attributes.related_id else None,
            "is_aggregate": False,
            "children": [],
            "comments": [],
            "payload": "{}",
            "url": self._recorder.address_of(event, call),
        }


def event_request(content: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    """Return the request that records what Datadog's request for an event says.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    title, message = text(content, "title"), text(content, "text")
    if not title.strip():
        raise refused("title", "expected a text")
    marked = message.strip()
    if len(marked) >= 2 * len(_MARKDOWN) and marked.startswith(_MARKDOWN) and marked.endswith(_MARKDOWN):
        message = marked[len(_MARKDOWN) : -len(_MARKDOWN)].strip()
    title, message = divided(title, message)
    attributes = event_pb.EventAttributes(
        message=shortened(message), source=text(content, "source_type_name")
    )
    given = [each for each in optional(content, "tags", list) or () if isinstance(each, str)]
    tags.apply(given, attributes)
    attributes.source = attributes.source[:LONGEST] or "datadog"
    attributes.service = attributes.service or text(content, "service")[:LONGEST] or "unknown"
    attributes.type = attributes.type or event_pb.Type.operation
    attributes.status = attributes.status or _chosen(content, "alert_type", STATUSES, "info")
    attributes.priority = attributes.priority or _chosen(content, "priority", PRIORITIES, "normal")
    attributes.owner = attributes.owner or text(content, "handle")[:LONGEST]
    happened = optional(content, "date_happened", int)
    if happened is not None:
        if not 0 <= happened <= _LATEST:
            raise refused("date_happened", "expected seconds since 1970")
        attributes.start_date = timestamp(happened * MICROS)
    labels = {name: _label(content, name) for name in _LABELS}
    labels["device_name"] = labels["device_name"] or _label(content, "device")
    attributes.labels = attributes.labels | {name: value for name, value in labels.items() if value}
    return event_pb.CreateEventRequest(title=title, attributes=attributes)


def _label(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    joined = ",".join(map(str, value)) if isinstance(value, list) else text(content, name)
    return joined[:LONGEST_LABEL]


def _chosen(content: Mapping[str, Any], name: str, choices: Mapping[str, E], usual: str) -> E:
    word = text(content, name).lower() or usual
    if word not in choices:
        raise refused(name, f"expected one of {', '.join(choices)}")
    return choices[word]


def _wanted(given: Mapping[str, str]) -> Sequence[Node]:
    """Return the conditions of a list."""
    start, end = (number(name, given.get(name, ""), _LATEST) for name in ("start", "end"))
    parts: list[Node] = [Term(TIME, (Range(start * MICROS, (end + 1) * MICROS),))]
    if sources := [each.strip() for each in given.get("sources", "").split(",") if each.strip()]:
        parts.append(one_of(SOURCE, sources))
    if priority := given.get("priority"):
        if priority not in PRIORITIES:
            raise refused("priority", "expected normal or low")
        low = one_of(BY_NAME["priority"], (event_pb.Priority.P5,))
        parts.append(low if priority == "low" else Not(low))
    parts += [tags.matching(each) for each in given.get("tags", "").split(",") if each.strip()]
    return parts


def api_key(headers: Mapping[str, str], query: str) -> str | None:
    """Return the API key of a request; what is not a key of Tracker counts as none."""
    secret = headers.get("dd-api-key") or (parameters(query).get("api_key", "") if "api_key" in query else "")
    return own_key(secret)


def refusal(error: TrackerError) -> HttpResponse:
    """Return the answer to a refused request."""
    return json_response({"errors": [error.message]}, error.reason.http_status)
