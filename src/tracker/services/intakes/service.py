"""The service of intakes: what senders have sent, and their messages that recorded nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import orjson
from protobuf.wkt import Duration

from tracker.domain.times import duration, timestamp
from tracker.errors import Reason, TrackerError
from tracker.pb import intake_pb
from tracker.services.intakes.inbox import Message
from tracker.services.paging import DEFAULT_PER_PAGE, own, page_token, parse_page_token
from tracker.stores.intakes import Place

if TYPE_CHECKING:
    from tracker.services.context import Call, Context
    from tracker.services.intakes.inbox import Inbox, Result
    from tracker.stores.intakes import IntakeStore, KeptMessage, Tally


class Senders(Protocol):
    """Handles messages of senders."""

    async def replay(self, message: Message, call: Call) -> Result:
        """Handle a message again, with the rights of a call; return what became of it."""

    async def test(self, request: intake_pb.TestIntakeRequest, call: Call) -> intake_pb.TestIntakeResponse:
        """Return what a message would record.

        Raises:
            TrackerError: INVALID_ARGUMENT; there is no such sender.
        """


class IntakeService:
    """Answers `tracker.intake.v1alpha1.IntakeService`, once `senders` is set."""

    senders: Senders

    def __init__(self, store: IntakeStore, inbox: Inbox, context: Context) -> None:
        self._store = store
        self._inbox = inbox
        self._context = context

    async def list_intakes(
        self, _request: intake_pb.ListIntakesRequest, _call: Call
    ) -> intake_pb.ListIntakesResponse:
        await self._inbox.flush()
        return intake_pb.ListIntakesResponse(intakes=[_intake(each) for each in await self._store.tallies()])

    async def list_intake_messages(
        self, request: intake_pb.ListIntakeMessagesRequest, call: Call
    ) -> intake_pb.ListIntakeMessagesResponse:
        query = own(f"intakes {json.dumps([request.sender, int(request.outcome)])}", call)
        cursor = parse_page_token(request.page_token, query)
        after = None if cursor is None else Place(int(cursor[0]), str(cursor[1]))
        most = request.limit or DEFAULT_PER_PAGE
        found = await self._store.list(request.sender, int(request.outcome), after, most + 1)
        page = found[:most]
        rest = Place(page[-1].received_at, page[-1].id) if len(found) > most else None
        return intake_pb.ListIntakeMessagesResponse(
            messages=[_message(each) for each in page], next_page_token=page_token(rest, query)
        )

    async def get_intake_message(
        self, request: intake_pb.GetIntakeMessageRequest, _call: Call
    ) -> intake_pb.GetIntakeMessageResponse:
        return intake_pb.GetIntakeMessageResponse(message=_message(await self._kept(request.id)))

    async def replay_intake_message(
        self, request: intake_pb.ReplayIntakeMessageRequest, call: Call
    ) -> intake_pb.ReplayIntakeMessageResponse:
        kept = await self._kept(request.id)
        captures, headers = tuple(orjson.loads(kept.captures)), orjson.loads(kept.headers)
        message = Message(kept.sender, kept.path, captures, headers, kept.body.encode())
        result = await self.senders.replay(message, call)
        kept = kept._replace(
            outcome=int(result.outcome), reason=result.reason, replayed_at=self._context.now()
        )
        await self._store.settle(kept)
        self._context.report(
            call,
            "message of an intake replayed",
            id=kept.id,
            sender=kept.sender,
            outcome=result.outcome.name,
        )
        return intake_pb.ReplayIntakeMessageResponse(message=_message(kept))

    async def test_intake(
        self, request: intake_pb.TestIntakeRequest, call: Call
    ) -> intake_pb.TestIntakeResponse:
        return await self.senders.test(request, call)

    async def _kept(self, message_id: str) -> KeptMessage:
        kept = await self._store.get(message_id.lower())
        if kept is None:
            text = f"no message found in tracker for id {message_id}"
            raise TrackerError(Reason.INTAKE_MESSAGE_NOT_FOUND, text)
        return kept


def _intake(tally: Tally) -> intake_pb.Intake:
    return intake_pb.Intake(
        sender=tally.sender,
        last_seen_at=timestamp(tally.seen_at),
        recorded=tally.recorded,
        ignored=tally.ignored,
        refused=tally.refused,
        failed=tally.failed,
        clock_skew=None if tally.skew is None else _signed(tally.skew),
        last_problem_at=timestamp(tally.problem_at) if tally.problem_at else None,
        last_problem=tally.problem,
    )


def _signed(micros: int) -> Duration:
    """Return a number of microseconds, which may be negative, as a Duration."""
    length = duration(abs(micros))
    return length if micros >= 0 else Duration(seconds=-length.seconds, nanos=-length.nanos)


def _message(kept: KeptMessage) -> intake_pb.IntakeMessage:
    return intake_pb.IntakeMessage(
        id=kept.id,
        sender=kept.sender,
        received_at=timestamp(kept.received_at),
        outcome=intake_pb.IntakeOutcome(kept.outcome),
        reason=kept.reason,
        path=kept.path,
        headers=orjson.loads(kept.headers),
        body=kept.body,
        body_bytes=kept.body_bytes,
        replayed_at=timestamp(kept.replayed_at) if kept.replayed_at else None,
    )
