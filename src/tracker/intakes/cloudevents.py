"""The intake of CloudEvents 1.0 over HTTP in its three content modes, and of CDEvents.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.query.fields import LABEL_NAME
from tracker.errors import Reason, TrackerError
from tracker.intakes import cdevents, tags
from tracker.intakes.requests import (
    LONGEST_LABEL,
    access_token,
    bounded,
    divided,
    first_text,
    indented,
    json_object,
    json_value,
    moment,
    optional,
    refused,
    shortened,
    text,
)
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.traces import HEADER, trace_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.api.routes import HttpRequest
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

_PATH: Final = "/cloudevents"
_REQUIRED: Final = ("id", "source", "type")
_OWN: Final = {
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "data",
    "data_base64",
    "datacontenttype",
    "dataschema",
}
_MOST: Final = 1000
"""Events of a batch."""
_LABEL = re.compile(LABEL_NAME)
_TITLES: Final = ("title", "summary")
_MESSAGES: Final = ("message", "description")
_LABELS_OF: Final = {"type": "cloudevents_type", "subject": "subject"}


class CloudEvents:
    """Records CloudEvents."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""
        return (
            HttpRoute("POST", _PATH, self._receive, Permission.EVENT_WRITE, compressed=True, foreign=_TERMS),
            HttpRoute("OPTIONS", _PATH, _consent, None),
        )

    async def _receive(self, request: HttpRequest, call: Call) -> HttpResponse:
        given = attributes_of_all(request.body, call.headers)
        refused = await self._recorder.deliver_all([*map(event_request, given)], call, given)
        for error in filter(None, refused):
            raise error
        return HttpResponse(b"", (), HTTPStatus.ACCEPTED)


async def _consent(_request: HttpRequest, call: Call) -> HttpResponse:
    """Let a sender that asks deliver here, as http-webhook.md has it; it still needs its key."""
    asked = call.headers.get("webhook-request-origin")
    if asked is None:
        return HttpResponse(b"", [("allow", "OPTIONS, POST")])
    headers = [("webhook-allowed-origin", asked), ("webhook-allowed-rate", "*"), ("allow", "OPTIONS, POST")]
    return HttpResponse(b"", headers)


_TERMS: Final = ForeignTerms(access_token)


def attributes_of_all(body: bytes, headers: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    """Return the attributes and the data of the events of a request.

    Raises:
        TrackerError: INVALID_ARGUMENT; it has no CloudEvents.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    match media_type:
        case "application/cloudevents+json":
            return [json_object(body)]
        case "application/cloudevents-batch+json":
            batch = json_value(body)
            if not isinstance(batch, list) or not all(isinstance(each, dict) for each in batch):
                raise refused("", "expected a list of JSON objects")
            if len(batch) > _MOST:
                raise refused("", f"a batch has up to {_MOST} events")
            return batch
        case _ if media_type.startswith("application/cloudevents"):
            raise _unsupported(media_type)
    attributes: dict[str, Any] = {
        name[3:]: _header(name, value) for name, value in headers.items() if name.startswith("ce-")
    }
    if attributes:
        return [attributes | {"data": _data(body, media_type)}]
    if media_type == "application/json":
        content = json_object(body)
        if isinstance(content.get("context"), dict):
            return [cdevents.as_cloudevent(content)]
    raise _unsupported(media_type)


def _unsupported(media_type: str) -> TrackerError:
    message = f"expected CloudEvents in JSON, or headers ce-…, not {media_type or 'a body without a type'}"
    return TrackerError(Reason.UNSUPPORTED_MEDIA_TYPE, message)


def _header(name: str, value: str) -> str:
    """Return the value of a header: percent-encoded or raw UTF-8, or Latin-1, which SDKs send too."""
    given = value.encode("latin-1")
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        given = re.sub(rb"\\(.)", rb"\1", given[1:-1])
    decoded = unquote_to_bytes(given)
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        if decoded != given:
            raise refused(name, "expected percent-encoded UTF-8") from None
        return value


def _data(body: bytes, media_type: str) -> Any:  # noqa: ANN401 - JSON is of any shape
    """Return the data of a body: what its JSON says, or its text; None if it is neither."""
    if not body:
        return None
    if media_type in ("", "application/json", "text/json") or media_type.endswith("+json"):
        return json_value(body)
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def event_request(attributes: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    """Return the request that records a CloudEvent.

    Raises:
        TrackerError: INVALID_ARGUMENT; an attribute is missing, or is not of its kind.
    """
    version = text(attributes, "specversion")
    if version != "1.0":
        raise refused("specversion", f"expected 1.0, not {version[:20] or 'nothing'}")
    for name in _REQUIRED:
        if not optional(attributes, name, str):
            raise refused(name, "expected a text")
    data = attributes.get("data")
    if (encoded := optional(attributes, "data_base64", str)) is not None:
        data = _data(_decoded(encoded), text(attributes, "datacontenttype").partition(";")[0].strip().lower())
    recorded = event_pb.EventAttributes(
        source=bounded(attributes["source"]),
        external_id=bounded(attributes["id"]),
        start_date=moment(attributes, "time"),
        labels=dict(_labels(attributes)),
    )
    recorded.trace_id = trace_of(text(attributes, HEADER))
    if attributes["type"].startswith(cdevents.PREFIX) and isinstance(data, dict):
        return cdevents.event_request(attributes["type"], data, recorded)
    content = data if isinstance(data, dict) else {}
    named = ((key, content.get(key)) for key in tags.FIELD_OF if key != "external_id")
    tags.apply((f"{key}:{value}" for key, value in named if isinstance(value, str)), recorded)
    recorded.service = recorded.service or "unknown"
    recorded.type = recorded.type or event_pb.Type.operation
    usual = " ".join(filter(None, (attributes["type"], text(attributes, "subject"))))
    told = first_text(content, _MESSAGES) or _as_text(data)
    title, message = divided(first_text(content, _TITLES) or usual, told)
    recorded.message = shortened(message)
    return event_pb.CreateEventRequest(title=title, attributes=recorded)


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise refused("data_base64", "expected base64") from None


def _labels(attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the labels of a CloudEvent: its type, its subject and its extensions."""
    for name, value in attributes.items():
        label = _LABELS_OF.get(name, name)
        if (name in _OWN and name != "type") or value is None or not _LABEL.fullmatch(label):
            continue
        shown = str(value).lower() if isinstance(value, bool) else text(attributes, name)
        if shown:
            yield label[:100], shown[:LONGEST_LABEL]


def _as_text(data: object) -> str:
    if data is None or isinstance(data, str):
        return data or ""
    return indented(data)
