"""Webhooks of products that prove with a secret who sends: routes, answers, and what is recorded."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tracker.api.http_exchange import json_response
from tracker.api.routes import ForeignTerms, HttpRoute, unknown_path
from tracker.domain.events import FINISHED, metadata_of
from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    access_token,
    divided,
    refused,
    shortened,
    text,
    zoned,
)
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.time_text import LATEST, MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from protobuf.wkt import Timestamp

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRequest
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

Verify: TypeAlias = "Callable[[bytes, bytes, Mapping[str, str]], bool]"
"""Returns whether a message is from who has the secret, given the secret, the raw body and the headers."""
Receive: TypeAlias = "Callable[[bytes, Mapping[str, str]], event_pb.CreateEventRequest | str]"
"""Returns what a message records, or why it records nothing, given the raw body and the headers."""

PONG: Final = "ping"
"""Why a message records nothing that only asks whether it arrives."""
_LATEST: Final = LATEST // MICROS
_VERSION: Final = re.compile(r"v?[0-9]+\.[0-9]")
_SHORT: Final = 8
_ZONE: Final = re.compile(r"(\d) (?:UTC|([+-]\d\d):?(\d\d))")


@dataclass(frozen=True, slots=True)
class Integration:
    """The webhook of a product, which exists where the secret of the product is set.

    `_delivery` is the header with the id of a message, which it keeps when it comes again.
    """

    _recorder: Recorder
    _product: str
    _verify: Verify
    _receive: Receive
    _delivery: str

    def routes(self) -> Sequence[HttpRoute]:
        """Return the route of the webhook."""
        path, terms = f"/api/v1alpha1/integrations/{self._product}/webhook", ForeignTerms(access_token)
        return (HttpRoute("POST", path, self._answer, Permission.EVENT_WRITE, foreign=terms),)

    async def _answer(self, request: HttpRequest, call: Call) -> HttpResponse:
        secret = self._recorder.secrets.get(self._product)
        if not secret:
            raise unknown_path()
        if not self._verify(secret.encode(), request.body, call.headers):
            raise TrackerError(Reason.INVALID_CREDENTIALS, "invalid signature")
        asked = self._receive(request.body, call.headers)
        if asked == PONG:
            return json_response({"status": "pong"})
        if isinstance(asked, str):
            return _ignored(asked)
        event = await self._recorder.deliver(asked, call, self._key(call))
        if event is None:
            return _ignored("stale")
        return json_response({"status": "recorded", "eventId": metadata_of(event).id})

    def _key(self, call: Call) -> str:
        delivery = call.headers.get(self._delivery)
        return "" if delivery is None else hashlib.sha256(f"{self._product}:{delivery}".encode()).hexdigest()


def _ignored(reason: str) -> HttpResponse:
    return json_response({"status": "ignored", "reason": reason}, HTTPStatus.ACCEPTED)


def time_of(content: Mapping[str, Any], name: str) -> Timestamp | None:
    """Return the time of a field, or None where it has none: seconds, RFC 3339, or `2026-01-31 12:00:00 UTC`.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is something else.
    """
    given = content.get(name)
    if given is None or given == "":
        return None
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _LATEST:
        return timestamp(given * MICROS)
    written = _ZONE.sub(
        lambda found: f"{found[1]}{found[2] or '+00'}:{found[3] or '00'}", str(given)[:LONGEST]
    )
    return zoned(name, written)


def event_request(
    attributes: event_pb.EventAttributes,
    title: str,
    message: str,
    labels: Mapping[str, str],
    ended: Timestamp | None,
) -> event_pb.CreateEventRequest:
    """Return the request that records an event, with an end where its status is one of those that end it."""
    attributes.labels = attributes.labels | {name: of[:LONGEST_LABEL] for name, of in labels.items() if of}
    attributes.service = attributes.service[:LONGEST] or "unknown"
    attributes.owner, attributes.version = attributes.owner[:LONGEST], attributes.version[:LONGEST]
    attributes.end_date = ended if attributes.status in FINISHED else None
    title, message = divided(title, message)
    attributes.message = shortened(message)
    return event_pb.CreateEventRequest(title=title, attributes=attributes)


def identity(content: Mapping[str, Any], name: str) -> str:
    """Return the id that a field has.

    Raises:
        TrackerError: INVALID_ARGUMENT; it has none.
    """
    found = text(content, name)
    if not 0 < len(found) <= LONGEST // 2:
        raise refused(name, "expected an id")
    return found


def version_of(ref: str, commit: str) -> str:
    """Return the version that is deployed: a ref such as `v1.2`, else the beginning of the commit."""
    return ref if _VERSION.match(ref) else commit[:_SHORT]
