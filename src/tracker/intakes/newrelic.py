"""The intake of New Relic's Event API, and of its deployment markers.

https://docs.newrelic.com/docs/data-apis/ingest-apis/event-api/introduction-event-api/
"""

from __future__ import annotations

import json
import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import orjson

from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import HttpResponse, json_response
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.events import metadata_of
from tracker.errors import Reason, TrackerError
from tracker.intakes import tags
from tracker.intakes.numbers import number_of
from tracker.intakes.requests import (
    LONGEST,
    divided,
    first_text,
    json_object,
    json_value,
    moment,
    optional,
    own_key,
    parameters,
    refused,
    shortened,
    since_1970,
    text,
)
from tracker.pb import event_pb
from tracker.pb.options import number_named
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from protobuf.wkt import Timestamp

    from tracker.api.routes import HttpRequest
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

_LIMITS: Final = Limits(body_bytes=1_000_000)
_MOST: Final = 2000
"""Events of a post."""
_SOURCE: Final = "newrelic"
_KEYS: Final = ("api-key", "x-insert-key", "x-license-key")
_EVENT_TYPE: Final = re.compile(r"[A-Za-z0-9_: ]{1,255}")
_FIELDS: Final = {
    **dict.fromkeys(("appName", "applicationName", "service.name", "entity.name"), "service"),
    "user": "owner",
    "revision": "version",
}
"""The tags for attributes that New Relic has under other names."""
_TITLES: Final = ("title", "summary")
_MESSAGES: Final = ("message", "description")
_NO_TAGS: Final = {"eventType", "timestamp", "accountId", *_TITLES, *_MESSAGES}
_NAMED: Final = b"newrelic:"
"""How the bytes of the id of an application begin; its name follows."""
_LONGEST_ID: Final = 2_000
"""Digits of the id of the longest name."""
_JSON: Final = ("content-type", "application/json")


class NewRelicEvents:
    """Records events and deployments for clients of New Relic."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""
        route = partial(HttpRoute, "POST", permission=Permission.EVENT_WRITE, limits=_LIMITS, compressed=True)
        markers, terms = "/v2/applications/{application_id}/deployments.json", ForeignTerms(_api_key)
        return (
            route("/v1/accounts/events", self._record_all, foreign=terms),
            route("/v1/accounts/{account_id}/events", self._record_all, foreign=terms),
            route(markers, self._record_deployment, foreign=ForeignTerms(None, _refusal)),
            HttpRoute(
                "GET",
                "/v2/applications.json",
                _applications,
                Permission.EVENT_WRITE,
                foreign=ForeignTerms(None, _refusal),
            ),
        )

    async def _record_all(self, request: HttpRequest, call: Call) -> HttpResponse:
        """Record the events of a post, and report those that are refused."""
        given = json_value(request.body)
        events = given if isinstance(given, list) else [given]
        if len(events) > _MOST:
            raise TrackerError(Reason.REQUEST_TOO_LARGE, f"a post has up to {_MOST} events")
        sent_as, rejected = _request_id(call), {}
        wanted: dict[int, event_pb.CreateEventRequest] = {}
        for index, content in enumerate(events):
            try:
                asked = event_request(content)
            except TrackerError as error:
                rejected[index] = error.message
                continue
            if sent_as and asked.attributes and not asked.attributes.external_id:
                asked.attributes.external_id = f"{sent_as}:{index}"
            wanted[index] = asked
        contents = [events[index] for index in wanted]
        refused = await self._recorder.deliver_all([*wanted.values()], call, contents)
        rejected |= {index: each.message for index, each in zip(wanted, refused, strict=True) if each}
        told = [{"index": index, "reason": rejected[index]} for index in sorted(rejected)]
        more = {"rejected": told} if told else {}
        return json_response({"success": True, "uuid": sent_as or str(uuid4()), **more})

    async def _record_deployment(self, request: HttpRequest, call: Call) -> HttpResponse:
        given = optional(json_object(request.body), "deployment", dict)
        if given is None:
            raise refused("deployment", "expected an object")
        asked = deployment_request(given, _application(request.captures[0]))
        event = await self._recorder.create(asked, call, given)
        shown = {
            name: text(given, name) for name in ("revision", "changelog", "description", "user", "timestamp")
        }
        marker = {"id": number_of(metadata_of(event).id), **shown, "links": {}}
        return json_response({"deployment": marker}, HTTPStatus.CREATED)


async def _applications(request: HttpRequest, _call: Call) -> HttpResponse:
    """Answer a client that asks for the id of an application by its name: any has one."""
    name = parameters(request.query).get("filter[name]", "")[:LONGEST]
    found = [{"id": int.from_bytes(_NAMED + name.encode(), "big"), "name": name}] if name else []
    return HttpResponse(json.dumps({"applications": found}).encode(), (_JSON,))


def _application(given: str) -> str:
    """Return the name of an application, given its name, or its id: that which it was told, or any other."""
    if given.isascii() and given.isdecimal() and len(given) <= _LONGEST_ID:
        number = int(given)
        written = number.to_bytes(number.bit_length() // 8 + 1, "big").lstrip(b"\0")
        if written.startswith(_NAMED):
            return written.removeprefix(_NAMED).decode(errors="replace")
    return given


def event_request(content: object) -> event_pb.CreateEventRequest:
    """Return the request that records an event of the Event API.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is not an event, or its type or time is not valid.
    """
    if not isinstance(content, dict):
        raise refused("", "expected a JSON object")
    kind = text(content, "eventType")
    if not _EVENT_TYPE.fullmatch(kind):
        raise refused("eventType", "expected up to 255 letters, digits, spaces, _ and :")
    attributes = event_pb.EventAttributes(source=_SOURCE, start_date=_moment(content))
    named = number_named(event_pb.Type.desc(), kind)
    if named:
        attributes.type = event_pb.Type(named)
    else:
        attributes.labels = {"event_type": kind}
    tags.apply(_tags(content), attributes)
    usual = " ".join(filter(None, (kind, attributes.service)))
    title, message = divided(first_text(content, _TITLES) or usual, first_text(content, _MESSAGES))
    attributes.message = shortened(message)
    attributes.service = attributes.service or "unknown"
    attributes.type = attributes.type or event_pb.Type.operation
    return event_pb.CreateEventRequest(title=title, attributes=attributes)


def deployment_request(content: Mapping[str, Any], application: str) -> event_pb.CreateEventRequest:
    """Return the request that records the deployment of an application.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    revision = text(content, "revision")
    if not revision.strip():
        raise refused("deployment.revision", "expected a text")
    told = "\n\n".join(filter(None, (text(content, name) for name in ("description", "changelog"))))
    title, message = divided(f"Deployed {revision}", told)
    attributes = event_pb.EventAttributes(
        type=event_pb.Type.deployment,
        status=event_pb.Status.success,
        source=_SOURCE,
        service=application[:LONGEST],
        version=revision[:LONGEST],
        owner=text(content, "user")[:LONGEST],
        start_date=moment(content, "timestamp"),
        message=shortened(message),
    )
    return event_pb.CreateEventRequest(title=title, attributes=attributes)


def _moment(content: Mapping[str, Any]) -> Timestamp | None:
    """Return the time of an event, in seconds or milliseconds since 1970, or None where it has none."""
    given = content.get("timestamp")
    return None if given is None else since_1970("timestamp", given)


def _tags(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the attributes of an event as tags; nested values are JSON."""
    for name, value in content.items():
        if name in _NO_TAGS or value is None:
            continue
        shown = value if isinstance(value, str) else orjson.dumps(value).decode()
        yield f"{_FIELDS.get(name, name)}:{shown}"


def _request_id(call: Call) -> str:
    """Return the UUID by which the client knows its post, which it may send again, or an empty text."""
    try:
        return str(UUID(call.headers.get("x-request-id", "")))
    except ValueError:
        return ""


def _api_key(headers: Mapping[str, str], _query: str) -> str | None:
    """Return the API key of a request; what is not a key of Tracker counts as none."""
    secret = next((headers[name] for name in _KEYS if name in headers), "")
    return own_key(secret)


def _refusal(error: TrackerError) -> HttpResponse:
    return json_response({"error": {"title": error.message}}, error.reason.http_status)
