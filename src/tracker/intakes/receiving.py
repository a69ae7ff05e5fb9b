"""Receives the messages of all senders: counts them, keeps those that record nothing, and replays these."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracker.api.routes import HttpRequest
from tracker.errors import Reason, TrackerError
from tracker.intakes.generic import PATH as GENERIC
from tracker.intakes.integrations import SignedRoute
from tracker.intakes.mapping import latest_time
from tracker.intakes.preview import preview
from tracker.intakes.recorder import RECEIPT, Receipt
from tracker.intakes.senders import SENDERS
from tracker.pb import intake_pb
from tracker.services.context import Call
from tracker.services.intakes.inbox import Message, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRoute
    from tracker.intakes.recorder import Recorder
    from tracker.pb import event_pb
    from tracker.services.intakes.inbox import Inbox

Outcome = intake_pb.IntakeOutcome
_UNAUTHORIZED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Receiving:
    """Handles the messages of all senders."""

    def __init__(self, recorder: Recorder, inbox: Inbox) -> None:
        self._recorder = recorder
        self._inbox = inbox
        self._routes = {
            (sender.name, route.path): route
            for sender in SENDERS
            if sender.intake is not None
            for route in sender.intake(replace(recorder, sender=sender.name)).routes()
            if route.verb == "POST"
        }

    def routes(self) -> Iterator[HttpRoute]:
        """Yield the routes of all intakes."""
        for sender in SENDERS:
            if sender.intake is None:
                continue
            for route in sender.intake(replace(self._recorder, sender=sender.name)).routes():
                if route.verb == "POST":
                    yield replace(route, handler=partial(self._receive, sender.name, route))
                else:
                    yield route

    async def _receive(self, sender: str, route: HttpRoute, request: HttpRequest, call: Call) -> HttpResponse:
        if route.path == GENERIC:
            (sender,) = request.captures
        message = Message(sender, route.path, request.captures, call.headers, request.body)
        receipt = Receipt()
        token = RECEIPT.set(receipt)
        try:
            if isinstance(route, SignedRoute) and route.verify is not None:
                route.verify(request, call)
            answer = await route.handler(request, call)
        except TrackerError as error:
            await self._refuse(message, error, receipt)
            raise
        except Exception:
            await self._note(message, Result(Outcome.failed, "a defect of the server", receipt.latest))
            raise
        finally:
            RECEIPT.reset(token)
        outcome = Outcome.ignored if receipt.ignored else Outcome.recorded
        await self._note(message, Result(outcome, receipt.ignored, receipt.latest))
        return answer

    async def record_datagram(self, request: event_pb.CreateEventRequest, call: Call) -> event_pb.Event:
        """Record an event of DogStatsD.

        Raises:
            TrackerError: As CreateEvent does.
        """
        sender = "dogstatsd"
        try:
            event = await replace(self._recorder, sender=sender).create(request, call)
        except TrackerError as error:
            self._inbox.count(sender, Result(Outcome.refused, error.message))
            raise
        self._inbox.count(sender, Result(Outcome.recorded, latest=latest_time(request)))
        return event

    async def replay(self, message: Message, call: Call) -> Result:
        """Handle a message again, with the rights of a call; return what became of it."""
        name = "NAME" if message.path == GENERIC else message.sender
        route = self._routes.get((name, message.path))
        if route is None:
            return Result(Outcome.refused, "nothing receives such messages any more")
        if route.permission is not None:
            call.require(route.permission)
        if not message.body:
            return Result(Outcome.refused, "the message has no body, or one that was too long to keep")
        request = HttpRequest(message.captures, message.body, message.path)
        return await _result(route, request, _call_of(call, message.headers))

    async def test(self, request: intake_pb.TestIntakeRequest, _call: Call) -> intake_pb.TestIntakeResponse:
        """Return what a message would record.

        Raises:
            TrackerError: INVALID_ARGUMENT; there is no such sender.
        """
        return await preview(request, self._recorder.mappings())

    async def _refuse(self, message: Message, error: TrackerError, receipt: Receipt) -> None:
        status = error.reason.http_status
        if error.reason is Reason.UNKNOWN_PATH:
            return
        outcome = Outcome.failed if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Outcome.refused
        result = Result(outcome, error.message, receipt.latest)
        if status in _UNAUTHORIZED:
            self._inbox.count(message.sender, result)
        else:
            await self._note(message, result)

    async def _note(self, message: Message, result: Result) -> None:
        self._inbox.count(message.sender, result)
        if result.outcome is not Outcome.recorded:
            await self._inbox.keep(message, result)


async def _result(route: HttpRoute, request: HttpRequest, call: Call) -> Result:
    """Return what becomes of a message that a route handles."""
    receipt = Receipt()
    token = RECEIPT.set(receipt)
    try:
        await route.handler(request, call)
    except TrackerError as error:
        is_failure = error.reason.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return Result(Outcome.failed if is_failure else Outcome.refused, error.message, receipt.latest)
    finally:
        RECEIPT.reset(token)
    return Result(Outcome.ignored if receipt.ignored else Outcome.recorded, receipt.ignored, receipt.latest)


def _call_of(outer: Call, headers: Mapping[str, str]) -> Call:
    """Return a call with the rights of another one, and with the headers of a message."""
    call = Call("http", outer.request_id, outer.peer, headers, outer.timeout)
    call.principal, call.answer, call.session = outer.principal, outer.answer, outer.session
    return call
