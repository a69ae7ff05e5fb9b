"""May I deploy: the answer with every reason, approvals, and the override."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.environments import environment_name
from tracker.domain.events import event_id
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import deployment_pb, event_pb
from tracker.pb.options import number_named, wire_name
from tracker.permissions import Permission
from tracker.time_text import moment_text
from tracker.web.deployments.address import CHECK, check_address
from tracker.web.event_changes import DECISIONS, decide, set_status
from tracker.web.event_rows import event_row
from tracker.web.forms import Done
from tracker.web.query_terms import term
from tracker.web.searches import search
from tracker.web.site import View
from tracker.web.times import read_time
from tracker.web.tones import Label
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from tracker.web.event_rows import EventRow
    from tracker.web.visit import Visit

_Verdict = deployment_pb.Verdict
_WORDS: Final = {
    _Verdict.yes: Label("Yes", "ok", "check"),
    _Verdict.not_yet: Label("Not yet", "warn", "clock"),
    _Verdict.no: Label("No", "bad", "cross"),
}
_UNKNOWN: Final = Label("Not known", "bad", "cross")
_WARNING: Final = Label("Warning", "note", "triangle")
_WAITING: Final = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; `at` is "" for now."""

    service: str
    environment: str
    version: str
    event: str
    at: str

    @property
    def complete(self) -> bool:
        """Whether there is enough to ask."""
        return bool(self.service and self.environment)


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """A reason, and the address of what it is about, "" for nothing."""

    look: Label
    rule: str
    text: str
    until: Markup
    href: str
    link: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says; `later` is from when on it may, as far as is known."""

    look: Label
    reasons: Sequence[ReasonLine]
    later: Markup
    checked: Markup
    blocked: bool


class DeploymentCheck:
    """Says whether a service may be deployed, and takes approvals and overrides."""

    path = CHECK

    async def show(self, visit: Visit) -> View:
        """Show the form, and the answer to what the address asks for."""
        asked = _asked(visit)
        answer = await part(_answer(visit, asked)) if asked.complete else None
        event = await part(_event(visit, asked.event)) if asked.event else None
        row = None if event is None or event.value is None else event_row(event.value, visit.times)
        waiting = await part(_waiting(visit, asked)) if asked.complete and not asked.event else None
        scope = (asked.service, asked.environment)
        may_write = visit.may(Permission.EVENT_WRITE, *scope, "" if row is None else row.owner)
        return View(
            "deployments/check.html",
            asked=asked,
            answer=answer,
            event=row,
            environments=[wire_name(each) for each in sorted(event_pb.Environment) if each],
            at=visit.clock.read(asked.at) if asked.at else None,
            waiting=waiting.value if waiting is not None else (),
            may_approve=may_write and visit.call.principal.may(Permission.DEPLOYMENT_APPROVE),
            may_override=may_write and visit.call.principal.may(Permission.DEPLOYMENT_OVERRIDE),
            lacks=[
                each.value
                for each in (Permission.EVENT_WRITE, Permission.DEPLOYMENT_OVERRIDE)
                if not visit.call.principal.may(each)
            ],
            record=_record(asked),
            api=address("/api/v1alpha1/deployment/check", _named(visit, asked)),
            tracker=_command(visit, asked),
        )

    async def submit(self, visit: Visit) -> Done:
        """Approve or reject the planned deployment, or begin one even if that is not allowed."""
        visit.require(Permission.EVENT_WRITE)
        asked, action = _asked(visit), visit.form.action
        if action in DECISIONS:
            visit.require(Permission.DEPLOYMENT_APPROVE)
            return Done(visit.here(CHECK), await decide(visit, asked.event, action))
        visit.require(Permission.DEPLOYMENT_OVERRIDE)
        if action != "override":
            raise invalid(FieldViolation("action", "expected approve, reject or override"))
        reason = visit.form.text("reason").strip()
        if not reason:
            raise invalid(FieldViolation("reason", "expected why it begins all the same"))
        if asked.event:
            await set_status(visit, asked.event, event_pb.Status.start, reason)
            return Done(address(f"/events/{asked.event}", {}), "The deployment has begun, with your reason.")
        number = number_named(event_pb.Environment.desc(), asked.environment)
        request = event_pb.CreateEventRequest(
            title=f"Deploy {asked.service} {asked.version}".rstrip(),
            attributes=event_pb.EventAttributes(
                service=asked.service,
                environment=event_pb.Environment(number or 0),
                version=asked.version,
                type=event_pb.Type.deployment,
                status=event_pb.Status.start,
            ),
            who=visit.form.text("who"),
            override_reason=reason,
        )
        stored = await visit.change(request, event_pb.CreateEventResponse)
        id_ = event_id(stored.event or event_pb.Event())
        return Done(address(f"/events/{id_}", {}), "The deployment has begun, with your reason.")


def _asked(visit: Visit) -> Asked:
    asked = {name: visit.one(name) for name in Asked.__slots__}
    return Asked(**asked | {"environment": environment_name(asked["environment"])})


async def _answer(visit: Visit, asked: Asked) -> Answer:
    at = read_time(visit.clock, "at", asked.at).low if asked.at else None
    request = deployment_pb.CheckDeploymentRequest(
        service=asked.service,
        environment=asked.environment,
        version=asked.version,
        event_id=asked.event,
        at=None if at is None else timestamp(at),
    )
    found = await visit.ask(request, deployment_pb.CheckDeploymentResponse)
    times = visit.times
    return Answer(
        _WORDS.get(found.verdict, _UNKNOWN),
        [_line(each, visit) for each in found.reasons],
        times.tag(found.not_before),
        times.tag(found.checked_at),
        found.verdict is not _Verdict.yes,
    )


def _line(reason: deployment_pb.Reason, visit: Visit) -> ReasonLine:
    look = _WARNING if reason.verdict is _Verdict.yes else _WORDS.get(reason.verdict, _UNKNOWN)
    about = (
        ("events", reason.event_id, "the event"),
        ("locks", reason.lock_id, "the lock"),
        ("freezes", reason.freeze_window_id, "the freeze window"),
    )
    href, link = next(((address(f"/{at}/{id_}", {}), name) for at, id_, name in about if id_), ("", ""))
    return ReasonLine(look, reason.rule.name, reason.text, visit.times.tag(reason.until), href, link)


async def _event(visit: Visit, id_: str) -> event_pb.Event:
    answer = await visit.ask(event_pb.GetEventRequest(id=id_), event_pb.GetEventResponse)
    return answer.event or event_pb.Event()


async def _waiting(visit: Visit, asked: Asked) -> Sequence[tuple[EventRow, str]]:
    """Return the planned deployments that may be meant, each with the address that asks for it."""
    about = f"{term('service', asked.service)} {term('environment', asked.environment)}"
    query = f"type:deployment status:(planned OR waiting_approval) {about}"
    found = await search(visit, query, _WAITING)
    rows = [event_row(each, visit.times) for each in found.events]
    return [
        (row, check_address(asked.service, asked.environment, asked.version or row.version, row.id))
        for row in rows
    ]


def _record(asked: Asked) -> str:
    given = {
        "title": f"Deploy {asked.service} {asked.version}".rstrip(),
        "service": asked.service,
        "environment": asked.environment,
        "version": asked.version,
        "type": "deployment",
        "status": "start",
    }
    return address("/record", {name: value for name, value in given.items() if value})


def _named(visit: Visit, asked: Asked) -> dict[str, str]:
    at = visit.clock.read(asked.at) if asked.at else None
    given = {
        "service": asked.service,
        "environment": asked.environment,
        "version": asked.version,
        "event_id": asked.event,
        "at": "" if at is None else moment_text(at.low),
    }
    return {name: value for name, value in given.items() if value}


def _command(visit: Visit, asked: Asked) -> str:
    options = {"event_id": "event"}
    words = [
        word
        for name, value in _named(visit, asked).items()
        for word in (f"--{options.get(name, name)}", value)
    ]
    return shlex.join(["tracker", "can-deploy", *words])
