"""What other products send: counts for each, and the messages that recorded nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.intakes.senders import SENDERS
from tracker.pb import intake_pb
from tracker.permissions import Permission
from tracker.web.forms import Done
from tracker.web.site import View
from tracker.web.tones import UNKNOWN, Label
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from protobuf.wkt import Duration

    from tracker.web.visit import Visit

_SHOWN: Final = 100
_SERVER: Final = "https://tracker.example.com"
"""The address of a server, for which scripts show that of this one."""
_PRODUCTS: Final = [(each, each.lines_for(_SERVER)) for each in SENDERS]
_Outcome = intake_pb.IntakeOutcome
_LABELS: Final = {
    _Outcome.recorded: Label("recorded", "ok", "check"),
    _Outcome.ignored: Label("ignored", "note", "dot"),
    _Outcome.refused: Label("refused", "warn", "triangle"),
    _Outcome.failed: Label("failed", "bad", "cross"),
}


@dataclass(frozen=True, slots=True)
class Sender:
    """A product that has sent messages; `counts` are as the columns of the page."""

    name: str
    seen: Markup
    counts: tuple[int, int, int, int]
    clock: str
    problem: str
    problem_at: Markup | str
    href: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message that recorded nothing."""

    id: str
    sender: str
    when: Markup
    outcome: Label
    reason: str
    replayed: Markup | str


class IntakesPage:
    """Shows what other products send, and replays a message."""

    path = "/intakes"

    async def show(self, visit: Visit) -> View:
        """Show the page."""
        sender = visit.one("sender")
        senders, messages = await asyncio.gather(part(_senders(visit)), part(_messages(visit, sender)))
        return View(
            "intakes/page.html",
            senders=senders,
            messages=messages,
            sender=sender,
            products=_PRODUCTS,
            server=_SERVER,
        )

    async def submit(self, visit: Visit) -> Done | View:
        """Replay the message that a form names."""
        visit.require(Permission.INTAKE_WRITE)
        request = intake_pb.ReplayIntakeMessageRequest(id=visit.form.text("id"))
        answer = await visit.change(request, intake_pb.ReplayIntakeMessageResponse)
        message = answer.message or intake_pb.IntakeMessage()
        told = f"The message is {message.outcome.name}"
        return Done(self.path, f"{told}: {message.reason}." if message.reason else f"{told}.")


class IntakeMessagePage:
    """Shows a message that recorded nothing."""

    path = "/intakes/{id}"

    async def show(self, visit: Visit) -> View:
        """Show the message that the address names."""
        request = intake_pb.GetIntakeMessageRequest(id=visit.captures[0])
        answer = await visit.ask(request, intake_pb.GetIntakeMessageResponse)
        message = answer.message or intake_pb.IntakeMessage()
        return View(
            "intakes/message.html",
            message=_message(message, visit),
            sent_to=message.path,
            headers=sorted(message.headers.items()),
            body=message.body,
        )


async def _senders(visit: Visit) -> Sequence[Sender]:
    found = await visit.ask(intake_pb.ListIntakesRequest(), intake_pb.ListIntakesResponse)
    times = visit.times
    return [
        Sender(
            each.sender,
            times.tag(each.last_seen_at, age=True),
            (each.recorded, each.ignored, each.refused, each.failed),
            _skew(each.clock_skew),
            each.last_problem,
            times.tag(each.last_problem_at, age=True) if each.last_problem_at else "",
            address("/intakes", {"sender": each.sender}),
        )
        for each in found.intakes
    ]


async def _messages(visit: Visit, sender: str) -> Sequence[Message]:
    found = await visit.ask(
        intake_pb.ListIntakeMessagesRequest(sender=sender[:200], limit=_SHOWN),
        intake_pb.ListIntakeMessagesResponse,
    )
    return [_message(each, visit) for each in found.messages]


def _message(message: intake_pb.IntakeMessage, visit: Visit) -> Message:
    return Message(
        message.id,
        message.sender,
        visit.times.tag(message.received_at, age=True),
        _LABELS.get(message.outcome, UNKNOWN),
        message.reason,
        visit.times.tag(message.replayed_at, age=True) if message.replayed_at else "",
    )


def _skew(skew: Duration | None) -> str:
    """Return how far a clock is ahead, in words."""
    if skew is None:
        return ""
    seconds = skew.seconds + skew.nanos / 1e9
    return f"{abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind, or late'}"
