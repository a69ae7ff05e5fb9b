"""What a message would record: the same intakes, with RPCs that only remember what they are asked."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from tracker.api.routes import HttpRequest
from tracker.domain.access import ANONYMOUS
from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.intakes.dogstatsd_messages import parse
from tracker.intakes.generic import PATH as GENERIC
from tracker.intakes.recorder import RECEIPT, Receipt, Recorder
from tracker.intakes.requests import refused
from tracker.intakes.senders import SENDERS
from tracker.pb import event_pb, intake_pb
from tracker.services.context import Call
from tracker.transcoding.rules import check_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.routes import HttpRoute
    from tracker.domain.commits import Commit
    from tracker.intakes.mapping import Mappings

_ID: Final = "00000000-0000-7000-8000-000000000000"
_DATAGRAMS: Final = "dogstatsd"
_Outcome = intake_pb.IntakeOutcome


class _Remembering:
    """RPCs of an empty server that remember which events they are asked to record."""

    def __init__(self) -> None:
        self.events: list[event_pb.CreateEventRequest] = []
        self.commits: list[Commit] = []

    async def ask(self, request: Any, answer: Any, _outer: Call) -> Any:  # noqa: ANN401 - any RPC
        if isinstance(request, event_pb.GetEventRequest):
            raise TrackerError(Reason.EVENT_NOT_FOUND, "no event is looked up in a test")
        return answer()

    async def change(self, request: Any, answer: Any, _outer: Call, _key: str | None = None) -> Any:  # noqa: ANN401 - any RPC
        check_rules(request)
        if not isinstance(request, event_pb.CreateEventRequest):
            return answer()
        self.events.append(request)
        event = event_pb.Event(
            title=request.title,
            attributes=request.attributes,
            metadata=event_pb.EventMetadata(id=_ID, created_at=timestamp(0)),
        )
        return answer(event=event)

    async def keep(self, commits: Sequence[Commit]) -> None:
        self.commits += commits


async def _no_ids(_beginning: str) -> Sequence[str]:
    return ()


async def preview(request: intake_pb.TestIntakeRequest, mappings: Mappings) -> intake_pb.TestIntakeResponse:
    """Return what a message would record on an empty server with some rules.

    Raises:
        TrackerError: INVALID_ARGUMENT; there is no such sender.
    """
    remembering = _Remembering()
    recorder = Recorder(
        remembering, _no_ids, "", {}, int, lambda: mappings, remembering.keep, sender=request.sender
    )
    route = None if request.sender == _DATAGRAMS else _route(request, recorder, mappings)
    headers = {name.lower(): of for name, of in request.headers.items()}
    call = Call("http", "test", "", headers)
    call.principal = ANONYMOUS
    receipt = Receipt()
    token = RECEIPT.set(receipt)
    outcome, reason = _Outcome.recorded, ""
    try:
        if route is None:
            await _take_datagram(request.body.encode(), recorder, call)
        else:
            given = HttpRequest(_captures(route, request), request.body.encode(), route.path)
            await route.handler(given, call)
    except TrackerError as error:
        is_failure = error.reason.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
        outcome, reason = _Outcome.failed if is_failure else _Outcome.refused, error.message
    finally:
        RECEIPT.reset(token)
    if receipt.ignored:
        outcome, reason = _Outcome.ignored, receipt.ignored
    return intake_pb.TestIntakeResponse(
        outcome=outcome,
        reason=reason,
        events=remembering.events,
        commits=[
            intake_pb.Commit(
                repository=each.repository,
                sha=each.sha,
                committed_at=timestamp(each.committed_at),
                service=each.service,
            )
            for each in remembering.commits
        ],
    )


async def _take_datagram(datagram: bytes, recorder: Recorder, call: Call) -> None:
    messages = parse(datagram)
    if messages.counts["malformed"]:
        raise refused("body", "expected events such as _e{5,4}:title|text, metrics, or service checks")
    for each in messages.events:
        await recorder.create(each, call)
    receipt = RECEIPT.get()
    if receipt is not None and not messages.events:
        receipt.ignored = "no events"


def _route(request: intake_pb.TestIntakeRequest, recorder: Recorder, mappings: Mappings) -> HttpRoute:
    """Return the route that would take a message."""
    intakes = {sender.name: sender.intake for sender in SENDERS if sender.intake is not None}
    name = request.sender
    if name not in intakes and name in mappings.rules:
        name = "NAME"
    if name not in intakes or (name == "NAME" and request.sender == "NAME"):
        known = ", ".join(sender.name for sender in SENDERS if sender.name != "NAME")
        raise refused("sender", f"expected one of {known}, or a table of the mapping")
    routes = [each for each in intakes[name](recorder).routes() if each.verb == "POST"]
    wanted = [each for each in routes if not request.path or _values(each.path, request.path) is not None]
    if not wanted:
        raise refused("path", f"expected one of {', '.join(each.path for each in routes)}")
    return wanted[0]


def _captures(route: HttpRoute, request: intake_pb.TestIntakeRequest) -> tuple[str, ...]:
    """Return the values of the variables of a path; where a message gives none, they are their names."""
    if route.path == GENERIC:
        return (request.sender,)
    return _values(route.path, request.path or route.path) or ()


def _values(template: str, path: str) -> tuple[str, ...] | None:
    found = re.fullmatch(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template)), path)
    return None if found is None else tuple(map(unquote, found.groups()))
