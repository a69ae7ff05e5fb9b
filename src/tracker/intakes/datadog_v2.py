"""The intake of Datadog's Events API v2: https://docs.datadoghq.com/api/latest/events/."""

from __future__ import annotations

from datetime import UTC
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from protobuf.wkt import UInt32Value

from tracker.api.http_exchange import json_response
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.events import FINISHED, attributes_of, event_time, metadata_of
from tracker.domain.query.fields import BY_NAME, SOURCE, label
from tracker.domain.query.tree import Not, one_of
from tracker.intakes import tags
from tracker.intakes.datadog import ALERT_TYPES, api_key, refusal
from tracker.intakes.datadog_queries import period, translated
from tracker.intakes.numbers import number_of
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    divided,
    indented,
    json_object,
    moment,
    number,
    optional,
    parameters,
    part,
    refused,
    shortened,
    text,
)
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.time_text import MICROS, datetime_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRequest
    from tracker.errors import TrackerError
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

_PATH: Final = "/api/v2/events"
_SOURCE: Final = "datadog"
_KEY: Final = "aggregation_key"
_CATEGORY: Final = "category"
_LABELS: Final = (_CATEGORY, _KEY, "host", "alert_status")
_PER_PAGE: Final = 10
_MOST: Final = 1000
_LONGEST_TEXT: Final = 4000
_ORDERS: Final = {"timestamp": "time", "-timestamp": "-time"}
_ALERTS: Final = {
    "error": event_pb.Status.open,
    "warn": event_pb.Status.open,
    "ok": event_pb.Status.close,
}
_VALUES: Final = {
    "prev_value": "Before",
    "new_value": "After",
    "change_metadata": "Details",
    "custom": "Details",
}


class DatadogEventsV2:
    """Creates, returns and searches events for clients of Datadog's newer API."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""
        route = partial(HttpRoute, foreign=ForeignTerms(api_key, refusal), compressed=True)
        create, read = ForeignTerms(api_key, refusal_of_create), Permission.EVENT_READ
        return (
            HttpRoute("POST", _PATH, self._create, Permission.EVENT_WRITE, compressed=True, foreign=create),
            route("GET", _PATH, self._list, read),
            route("POST", f"{_PATH}/search", self._search, read),
            route("GET", f"{_PATH}/{{event_id}}", self._get, read),
        )

    async def _create(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = part(json_object(request.body), "data")
        asked = event_request(part(content, "attributes"))
        event = await self._continued(asked, call) or await self._recorder.create(asked, call, content)
        event_id = metadata_of(event).id
        evt = {"id": str(number_of(event_id)), "uid": event_id}
        data = {"id": event_id, "type": "event", "attributes": {"attributes": {"evt": evt}}}
        links = {"self": self._recorder.address_of(event, call)}
        return json_response({"data": data, "links": links}, HTTPStatus.ACCEPTED)

    async def _continued(self, asked: event_pb.CreateEventRequest, call: Call) -> event_pb.Event | None:
        """Change the open incident that an alert goes on with, by its aggregation key, or return None."""
        attributes = attributes_of(event_pb.Event(attributes=asked.attributes))
        key = attributes.labels.get(_KEY)
        if (
            attributes.type != event_pb.Type.incident
            or not key
            or not call.principal.may(Permission.EVENT_READ)
        ):
            return None
        wanted = (
            one_of(label(_KEY), (key,)),
            one_of(SOURCE, (_SOURCE,)),
            one_of(BY_NAME["type"], (event_pb.Type.incident,)),
            Not(one_of(BY_NAME["status"], FINISHED)),
        )
        found = await self._recorder.find(wanted, call, 1)
        if not found.events:
            return None
        if attributes.status in FINISHED:
            attributes.end_date = attributes.start_date
        attributes.clear_field("start_date")
        request = event_pb.UpdateEventRequest(
            id=metadata_of(found.events[0]).id, title=asked.title, attributes=attributes, merge=True
        )
        await self._recorder.update(request, call)
        return found.events[0]

    async def _get(self, request: HttpRequest, call: Call) -> HttpResponse:
        given = request.captures[0]
        event = await (
            self._recorder.get(int(given), call)
            if given.isascii() and given.isdecimal() and len(given) <= len(str(1 << 63))
            else self._recorder.get_by_id(given, call)
        )
        return json_response({"data": _json(event)})

    async def _list(self, request: HttpRequest, call: Call) -> HttpResponse:
        given = parameters(request.query)
        asked = {name: given.get(f"filter[{name}]", "") for name in ("query", "from", "to")}
        limit, sort = given.get("page[limit]") or "", given.get("sort", "")
        asked |= {"sort": sort, "cursor": given.get("page[cursor]", ""), "limit": limit}
        return await self._found(asked, call)

    async def _search(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = json_object(request.body or b"{}")
        wanted, page, options = (part(content, name) for name in ("filter", "page", "options"))
        asked = {name: text(wanted, name) for name in ("query", "from", "to")}
        asked |= {"sort": text(content, "sort"), "cursor": text(page, "cursor"), "limit": text(page, "limit")}
        return await self._found(asked | {"zone": text(options, "timezone")}, call)

    async def _found(self, asked: Mapping[str, str], call: Call) -> HttpResponse:
        """Return a page of the events that a search finds, and what leads to the next one."""
        order = _ORDERS.get(asked["sort"] or "-timestamp")
        if order is None:
            raise refused("sort", "expected timestamp or -timestamp")
        limit = number("limit", asked["limit"], _MOST) if asked["limit"] else _PER_PAGE
        wanted = translated(asked["query"]).strip()
        request = event_pb.SearchEventsRequest(
            query=f"{f'({wanted}) ' if wanted else ''}{period(asked)}",
            per_page=UInt32Value(value=limit or _PER_PAGE),
            page_token=asked["cursor"],
            order_by=order,
            time_zone=asked.get("zone", ""),
        )
        found = await self._recorder.search(request, call)
        answer: dict[str, object] = {"data": [_json(each) for each in found.events]}
        if found.next_page_token:
            names = {"query": "filter[query]", "from": "filter[from]", "to": "filter[to]", "sort": "sort"}
            kept = {to: asked[name] for name, to in names.items() if asked[name]}
            kept |= {"page[cursor]": found.next_page_token, "page[limit]": str(limit or _PER_PAGE)}
            answer["meta"] = {"page": {"after": found.next_page_token}}
            answer["links"] = {"next": f"{self._recorder.server(call)}{_PATH}?{urlencode(kept)}"}
        return json_response(answer)


def event_request(content: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    """Return the request that records what Datadog's request for a change or an alert says.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    title, category, details = text(content, "title"), text(content, "category"), part(content, "attributes")
    if not title.strip():
        raise refused("data.attributes.title", "expected a text")
    if category not in _READERS:
        raise refused("data.attributes.category", f"expected one of {', '.join(_READERS)}")
    labels = {_CATEGORY: category, _KEY: text(content, _KEY), "host": text(content, "host")}
    attributes = event_pb.EventAttributes(
        source=_SOURCE,
        start_date=moment(content, "timestamp"),
        labels={name: value[:LONGEST_LABEL] for name, value in labels.items() if value},
    )
    tags.apply((each for each in optional(content, "tags", list) or () if isinstance(each, str)), attributes)
    _READERS[category](details, attributes)
    told = [text(content, "message"), *_values(details)]
    title, message = divided(title, "\n\n".join(filter(None, told)))
    attributes.message = shortened(message)
    attributes.service = attributes.service or "unknown"
    return event_pb.CreateEventRequest(title=title, attributes=attributes)


def _read_change(details: Mapping[str, Any], attributes: event_pb.EventAttributes) -> None:
    resource = part(details, "changed_resource")
    if not text(resource, "name"):
        raise refused("data.attributes.attributes.changed_resource.name", "expected a text")
    given = optional(details, "impacted_resources", list) or ()
    impacted = [
        text(each, "name") for each in given if isinstance(each, dict) and each.get("type") == "service"
    ]
    attributes.service = attributes.service or next(filter(None, impacted), "")[:LONGEST]
    attributes.owner = attributes.owner or text(part(details, "author"), "name")[:LONGEST]
    attributes.type = attributes.type or event_pb.Type.operation
    attributes.status = attributes.status or event_pb.Status.done
    labels = {"changed_resource": text(resource, "name"), "changed_resource_type": text(resource, "type")}
    labels["impacted_services"] = ",".join(impacted) if len(impacted) > 1 else ""
    attributes.labels = attributes.labels | {name: of[:LONGEST_LABEL] for name, of in labels.items() if of}


def _read_alert(details: Mapping[str, Any], attributes: event_pb.EventAttributes) -> None:
    status, priority = text(details, "status"), text(details, "priority")
    if status not in _ALERTS:
        raise refused("data.attributes.attributes.status", f"expected one of {', '.join(_ALERTS)}")
    if priority and f"P{priority}" not in event_pb.Priority.__members__:
        raise refused("data.attributes.attributes.priority", "expected one of 1, 2, 3, 4, 5")
    attributes.type, attributes.status = event_pb.Type.incident, _ALERTS[status]
    attributes.priority = event_pb.Priority[f"P{priority or 5}"]
    attributes.labels = attributes.labels | {"alert_status": status}


_READERS: Final = {"change": _read_change, "alert": _read_alert}


def _values(details: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a message says of values that have no field: before and after a change, and links."""
    for name, shown in _VALUES.items():
        if value := details.get(name):
            yield f"{shown}:\n{indented(value)}"
    for link in optional(details, "links", list) or ():
        if isinstance(link, dict) and (address := text(link, "url")):
            title = text(link, "title") or text(link, "category")
            yield f"{title}: {address}" if title else address


def _json(event: event_pb.Event) -> dict[str, object]:
    attributes, event_id = attributes_of(event), metadata_of(event).id
    happened, labels = event_time(event), attributes.labels
    own_labels = {name: of for name, of in labels.items() if name not in _LABELS}
    told = event_pb.EventAttributes.from_binary(attributes.to_binary())
    told.labels = own_labels
    shown = tags.tags_of(told)
    evt = {"id": str(number_of(event_id)), "uid": event_id, "type": "event", "name": event.title}
    own = {
        "title": event.title,
        "status": _ALERT_STATUSES.get(labels.get("alert_status", ""))
        or ALERT_TYPES.get(attributes.status, "info"),
        "service": attributes.service,
        "hostname": labels.get("host"),
        "aggregation_key": labels.get(_KEY),
        "priority": "low" if attributes.priority == event_pb.Priority.P5 else "normal",
        "source_type_name": attributes.source,
        "timestamp": happened // 1000,
        "date_happened": happened // MICROS,
        "tags": shown,
        "evt": evt,
    }
    return {
        "id": event_id,
        "type": "event",
        "attributes": {
            "timestamp": datetime_of(happened).astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "message": attributes.message[:_LONGEST_TEXT],
            "tags": shown,
            "attributes": {name: value for name, value in own.items() if value is not None},
        },
    }


_ALERT_STATUSES: Final = {"error": "error", "warn": "warning", "ok": "success"}


def refusal_of_create(error: TrackerError) -> HttpResponse:
    """Return the answer to a refused request that has objects as errors."""
    status = error.reason.http_status
    told = {"status": str(int(status)), "title": HTTPStatus(status).phrase, "detail": error.message}
    return json_response({"errors": [told]}, status)
