"""The intake of Grafana's HTTP API for annotations.

https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from tracker.api.http_exchange import json_response
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.events import attributes_of, event_end, event_time, metadata_of
from tracker.domain.query.fields import TIME, label
from tracker.domain.query.tree import Range, Term, all_of, any_of, one_of
from tracker.domain.times import timestamp
from tracker.intakes import tags
from tracker.intakes.numbers import number_of
from tracker.intakes.requests import (
    LONGEST_LABEL,
    divided,
    json_object,
    number,
    optional,
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
    from tracker.errors import TrackerError
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

_PATH: Final = "/api/annotations"
_MILLI: Final = 1000
_PER_PAGE: Final = 100
_MOST: Final = 10_000
_COUNTED: Final = 1000
"""The latest events, whose tags are counted."""
_LATEST: Final = LATEST // MICROS * 1000
_LABELS: Final = {"dashboardUID": "dashboard_uid", "dashboardId": "dashboard_id", "panelId": "panel_id"}


class GrafanaAnnotations:
    """Creates, lists, changes and deletes events as Grafana does annotations."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""
        route = partial(HttpRoute, foreign=ForeignTerms(error=_refusal))
        one, read, write = f"{_PATH}/{{annotation_id}}", Permission.EVENT_READ, Permission.EVENT_WRITE
        return (
            route("POST", _PATH, self._create, write),
            route("POST", f"{_PATH}/graphite", self._create_from_graphite, write),
            route("GET", _PATH, self._list, read),
            route("GET", f"{_PATH}/tags", self._list_tags, read),
            route("GET", one, self._get, read),
            route("PUT", one, self._update, write),
            route("PATCH", one, self._patch, write),
            route("DELETE", one, self._delete, write),
        )

    async def _create(self, request: HttpRequest, call: Call) -> HttpResponse:
        return await self._record(json_object(request.body), "Annotation added", call)

    async def _create_from_graphite(self, request: HttpRequest, call: Call) -> HttpResponse:
        given = json_object(request.body)
        words = given.get("tags")
        return await self._record(
            {
                "text": "\n".join(filter(None, (text(given, "what"), text(given, "data")))),
                "tags": words.split() if isinstance(words, str) else words,
                "when": given.get("when"),
            },
            "Graphite annotation added",
            call,
        )

    async def _record(self, content: Mapping[str, Any], message: str, call: Call) -> HttpResponse:
        asked = event_request(content)
        event = await self._recorder.create(asked, call, content)
        number_ = number_of(metadata_of(event).id)
        ended = {"endId": number_} if asked.attributes and asked.attributes.end_date else {}
        return json_response({"message": message, "id": number_, **ended})

    async def _list(self, request: HttpRequest, call: Call) -> HttpResponse:
        if "alert" in parse_qs(request.query).get("type", ()):
            return json_response([])
        limit = number("limit", parameters(request.query).get("limit") or str(_PER_PAGE), _LATEST)
        most = min(limit or _PER_PAGE, _MOST)
        found = await self._recorder.find(_wanted(request.query), call, most)
        return json_response([_annotation(each) for each in found.events])

    async def _list_tags(self, request: HttpRequest, call: Call) -> HttpResponse:
        given = parameters(request.query)
        counts = Counter(
            tag
            for event in (await self._recorder.find((_ALWAYS,), call, _COUNTED)).events
            for tag in tags.tags_of(attributes_of(event))
            if given.get("tag", "").lower() in tag.lower()
        )
        most = number("limit", given.get("limit") or str(_PER_PAGE), _LATEST)
        rows = [{"tag": tag, "count": count} for tag, count in sorted(counts.items())]
        return json_response({"result": {"tags": rows[:most]}})

    async def _get(self, request: HttpRequest, call: Call) -> HttpResponse:
        return json_response(_annotation(await self._named(request, call)))

    async def _named(self, request: HttpRequest, call: Call) -> event_pb.Event:
        return await self._recorder.get(number("annotation_id", request.captures[0], 1 << 63), call)

    async def _update(self, request: HttpRequest, call: Call) -> HttpResponse:
        return await self._change(request, call, "Annotation updated")

    async def _patch(self, request: HttpRequest, call: Call) -> HttpResponse:
        return await self._change(request, call, "Annotation patched")

    async def _change(self, request: HttpRequest, call: Call, message: str) -> HttpResponse:
        """Change what is given: what is null, empty or missing stays."""
        content, event = json_object(request.body), await self._named(request, call)
        asked = event_request({"text": _text(event)} | {k: v for k, v in content.items() if v})
        attributes = asked.attributes or event_pb.EventAttributes()
        stored = attributes_of(event)
        attributes.clear_field("source")
        if not content.get("tags"):
            attributes.service, attributes.type = stored.service, stored.type
        else:
            gone = set(stored.labels) - set(attributes.labels) - set(_LABELS.values())
            attributes.labels = attributes.labels | dict.fromkeys(gone, "")
        await self._recorder.update(
            event_pb.UpdateEventRequest(
                id=metadata_of(event).id, title=asked.title, attributes=attributes, merge=True
            ),
            call,
        )
        return json_response({"message": message})

    async def _delete(self, request: HttpRequest, call: Call) -> HttpResponse:
        event = await self._named(request, call)
        await self._recorder.delete(event_pb.DeleteEventRequest(id=metadata_of(event).id), call)
        return json_response({"message": "Annotation deleted"})


_ALWAYS: Final = Term(TIME, (Range(0, _LATEST * _MILLI),))


def event_request(content: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    """Return the request that records an annotation.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    line, _, rest = text(content, "text").strip().partition("\n")
    if not line:
        raise refused("text", "expected a text")
    title, message = divided(line, rest)
    attributes = event_pb.EventAttributes(message=shortened(message), source="grafana")
    tags.apply((each for each in optional(content, "tags", list) or () if isinstance(each, str)), attributes)
    attributes.service = attributes.service or "unknown"
    attributes.type = attributes.type or event_pb.Type.operation
    time, when, end = (_moment(content, name) for name in ("time", "when", "timeEnd"))
    if time or when:
        attributes.start_date = timestamp(time * _MILLI or when * MICROS)
    if end and end != time:
        attributes.end_date = timestamp(end * _MILLI)
    labels = {own: text(content, name)[:LONGEST_LABEL] for name, own in _LABELS.items()}
    attributes.labels = attributes.labels | {name: value for name, value in labels.items() if value}
    return event_pb.CreateEventRequest(title=title, attributes=attributes)


def _moment(content: Mapping[str, Any], name: str) -> int:
    given = optional(content, name, int) or 0
    if not 0 <= given <= (_LATEST // _MILLI if name == "when" else _LATEST):
        raise refused(name, f"expected {'seconds' if name == 'when' else 'milliseconds'} since 1970")
    return given


def _wanted(query: str) -> Sequence[Node]:
    """Return the conditions of a list."""
    given, all_given = parameters(query), parse_qs(query)
    since, until = (number(name, given.get(name) or "0", _LATEST) for name in ("from", "to"))
    parts: list[Node] = [Term(TIME, (Range(since * _MILLI, (until or _LATEST) * _MILLI + _MILLI),))]
    parts += [one_of(label(own), (given[name],)) for name, own in _LABELS.items() if given.get(name)]
    if asked := tuple(tags.matching(each) for each in all_given.get("tags", ()) if each.strip()):
        parts.append(any_of(asked) if given.get("matchAny", "").lower() == "true" else all_of(asked))
    return parts


def _text(event: event_pb.Event) -> str:
    message = attributes_of(event).message
    if event.title.endswith("…") and message.startswith(event.title[:-1]):
        return message
    return f"{event.title}\n{message}" if message else event.title


def _annotation(event: event_pb.Event) -> dict[str, object]:
    attributes, labels = attributes_of(event), attributes_of(event).labels
    begin, end = event_time(event) // _MILLI, event_end(event)
    shown = event_pb.EventAttributes.from_binary(attributes.to_binary())
    shown.labels = {key: value for key, value in labels.items() if key not in _LABELS.values()}
    panel = labels.get("panel_id", "0")
    return {
        "id": number_of(metadata_of(event).id),
        "alertId": 0,
        "alertName": "",
        "dashboardId": 0,
        "dashboardUID": labels.get("dashboard_uid", ""),
        "panelId": int(panel) if panel.isdecimal() and panel.isascii() else 0,
        "userId": 0,
        "userName": attributes.owner,
        "newState": "",
        "prevState": "",
        "time": begin,
        "timeEnd": begin if end is None else end // _MILLI,
        "text": _text(event),
        "tags": tags.tags_of(shown),
        "data": {},
    }


def _refusal(error: TrackerError) -> HttpResponse:
    return json_response({"message": error.message}, error.reason.http_status)
