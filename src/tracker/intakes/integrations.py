"""Webhooks of products: routes, proof of who sends, answers, and what is recorded."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from tracker.api.calls.endpoint import MAX_BODY, Limits
from tracker.api.http_exchange import json_response
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.commits import Commit
from tracker.domain.events import FINISHED, metadata_of
from tracker.domain.times import micros, timestamp
from tracker.errors import Reason, TrackerError
from tracker.intakes.recorder import RECEIPT, Delivery
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    access_token,
    divided,
    json_object,
    refused,
    shortened,
    text,
    zoned,
)
from tracker.intakes.signatures import SIGNING, is_standard, signing_key
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.time_text import LATEST, MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from protobuf.wkt import Timestamp

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRequest
    from tracker.intakes.recorder import Recorder
    from tracker.intakes.signatures import Verify
    from tracker.services.context import Call


class Record(NamedTuple):
    """An event of a message, if it has one, and commits, and the part of the message that they come from.

    `reopened_at`, `keeps` and `series` are those of its delivery.
    """

    request: event_pb.CreateEventRequest | None
    content: object
    reopened_at: int | None = None
    commits: Sequence[Commit] = ()
    keeps: bool = False
    series: str = ""


Received: TypeAlias = "Sequence[Record] | str"
"""What a message records, or why it records nothing."""

Receive: TypeAlias = "Callable[[bytes, Mapping[str, str]], Received]"
"""Returns what a message records, given the raw body and the headers."""

PONG: Final = "ping"
"""Why a message records nothing that only asks whether it arrives."""
_LATEST: Final = LATEST // MICROS
_VERSION: Final = re.compile(r"v?[0-9]+\.[0-9]")
_SHORT: Final = 8
_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MERGE: Final = re.compile(r"Merge (pull request|branch|branches|remote-tracking|tag|commit)\b")
"""How Git, GitHub and GitLab begin the messages of merges."""
_ZONE: Final = re.compile(r"(\d) (?:UTC|([+-]\d\d):?(\d\d))")


@dataclass(frozen=True, slots=True)
class SignedRoute(HttpRoute):
    """A route whose messages prove who sends them: `verify` raises for others.

    A message that is replayed is not verified again: what is kept of it has no signature.
    """

    verify: Callable[[HttpRequest, Call], None] | None = None


@dataclass(frozen=True, slots=True)
class Integration:
    """The webhook of a product.

    With `_verify`, the product proves with a secret that it sends: the webhook exists where the secret is
    set, or, if that is `optional`, asks for no proof elsewhere. `delivery` is the header, or returns the part
    of the body, with the id of a message, which it keeps when it comes again. A body has up to
    `largest` bytes.
    """

    _recorder: Recorder
    _product: str
    _receive: Receive
    _verify: Verify | None = None
    optional: bool = False
    delivery: str | Callable[[bytes], str] = ""
    largest: int = MAX_BODY

    def routes(self) -> Sequence[HttpRoute]:
        """Return the route of the webhook."""
        route = SignedRoute(
            "POST",
            f"/api/v1alpha1/integrations/{self._product}/webhook",
            self._answer,
            Permission.EVENT_WRITE,
            limits=Limits(body_bytes=self.largest),
            compressed=self._verify is None,
            foreign=ForeignTerms(access_token),
            verify=self._check,
        )
        return (route,)

    def _check(self, request: HttpRequest, call: Call) -> None:
        """Check who sends.

        Raises:
            TrackerError: NOT_FOUND, nothing is received; UNAUTHENTICATED, there is no valid signature.
        """
        if self._verify is None:
            return
        secrets, now = self._recorder.secrets, self._recorder.now() // MICROS
        if signing := secrets.get(f"{self._product}{SIGNING}"):
            valid = is_standard(signing_key(signing), request.body, call.headers, now)
        elif secret := secrets.get(self._product):
            valid = self._verify(secret.encode(), request.body, call.headers)
        elif self.optional:
            return
        else:
            problem = f"webhooks of {self._product} need a secret, and this server has none for them"
            raise TrackerError(Reason.UNKNOWN_PATH, problem)
        if not valid:
            raise TrackerError(Reason.INVALID_CREDENTIALS, "invalid signature")

    async def _answer(self, request: HttpRequest, call: Call) -> HttpResponse:
        asked = self._receive(request.body, call.headers)
        if asked == PONG:
            return json_response({"status": "pong"})
        if isinstance(asked, str):
            return _ignored(asked)
        return await record(asked, self._recorder, call, self._key(request.body, call))

    def _key(self, body: bytes, call: Call) -> str:
        found = self.delivery
        delivery = call.headers.get(found) if isinstance(found, str) else found(body)
        return "" if not delivery else hashlib.sha256(f"{self._product}:{delivery}".encode()).hexdigest()


async def record(records: Sequence[Record], recorder: Recorder, call: Call, key: str) -> HttpResponse:
    """Record the events of a message, which has an idempotency key or an empty one, and return the answer."""
    mappings, sender = recorder.mappings(), recorder.sender
    wanted = [each for each in records if mappings.records(sender, each.content)]
    if not wanted:
        return _ignored("left out by the mapping")
    commits, deliveries = 0, []
    for number, each in enumerate(wanted):
        if each.commits:
            service = recorder.service_of(each.commits[0].service, each.content)
            await recorder.keep_commits([commit._replace(service=service) for commit in each.commits])
            commits += len(each.commits)
        if each.request is not None:
            mappings.place(each.request)
            own_key = f"{key}{number or ''}" if key else ""
            deliveries.append(
                Delivery(each.request, each.content, own_key, each.reopened_at, each.keeps, each.series)
            )
    events = await recorder.deliver_together(deliveries, call)
    recorded = [metadata_of(event).id for event in events if event is not None]
    if not recorded and not commits:
        return _ignored("stale")
    answer: dict[str, object] = {"status": "recorded"}
    if recorded:
        answer |= {"eventId": recorded[0]} if len(records) == 1 else {"events": len(recorded)}
    return json_response(answer | ({"commits": commits} if commits else {}))


def commit_of(
    repository: str, service: str, sha: str, at: Timestamp | None, message: str = ""
) -> Commit | None:
    """Return a commit, or None where something of it is missing; its message says whether it is a merge."""
    if at is None or not repository or not _SHA.fullmatch(sha):
        return None
    merge = int(_MERGE.match(message) is not None)
    return Commit(repository[:LONGEST], sha, micros(at), service[:LONGEST] or "unknown", merge=merge)


def pushed(commits: Sequence[Commit | None], content: Mapping[str, Any]) -> Received:
    """Return what a push records, whose newest commit is `after`, and the one before it `before`."""
    head, base = (sha if _SHA.fullmatch(sha := text(content, name)) else "" for name in ("after", "before"))
    kept = [each._replace(head=head, base=base) for each in commits if each is not None]
    return [Record(None, content, commits=kept)] if kept else "no commits"


def _ignored(reason: str) -> HttpResponse:
    receipt = RECEIPT.get()
    if receipt is not None:
        receipt.ignored = reason
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


def one_event(
    asked: event_pb.CreateEventRequest | str,
    content: Mapping[str, Any],
    *,
    keeps: bool = False,
    series: str = "",
) -> Received:
    """Return what a message of one event records."""
    return asked if isinstance(asked, str) else [Record(asked, content, keeps=keeps, series=series)]


def of_one_event(
    event: Callable[[Mapping[str, Any]], event_pb.CreateEventRequest | str],
    *,
    keeps: bool = False,
    series: str = "",
) -> Receive:
    """Return what reads messages that record one event each: `event` makes it, or says why there is none.

    It raises `TrackerError` INVALID_ARGUMENT for a message that is malformed. `keeps` and `series` are those
    of its record.
    """

    def received(body: bytes, _headers: Mapping[str, str]) -> Received:
        content = json_object(body)
        return one_event(event(content), content, keeps=keeps, series=series)

    return received


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
    """Return the version that is deployed: a tag such as `v1.2`, else the beginning of the commit."""
    tag = ref.removeprefix("refs/tags/")
    return tag if _VERSION.match(tag) else commit[:_SHORT]
