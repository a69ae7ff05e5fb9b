"""Whether something may be deployed: what follows from freeze windows, locks, events and approvals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.events import (
    ENDED_BADLY,
    ENDED_WELL,
    RUNNING,
    attributes_of,
    event_end,
    event_id,
    event_time,
    metadata_of,
)
from tracker.domain.freezes import frozen_until
from tracker.domain.times import duration_micros, micros, timestamp
from tracker.errors import nearest
from tracker.number_text import number_of
from tracker.pb import deployment_pb, event_pb
from tracker.pb.options import number_named, numbers, wire_name
from tracker.time_text import MICROS, moment_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tracker.domain.freezes import Occurrence
    from tracker.pb import lock_pb

    Readable = Callable[[event_pb.Event | lock_pb.Lock | Occurrence], bool]

_Status = event_pb.Status
_Rule = deployment_pb.Rule
_Verdict = deployment_pb.Verdict
TRIED: Final = ENDED_WELL | ENDED_BADLY
"""Statuses of deployments that have run to their end: one that was closed may not have begun."""
PLANNED: Final = frozenset({_Status.planned, _Status.waiting_approval})
"""Statuses of work that has not begun."""
UNDECIDED: Final = PLANNED | {_Status.open}
"""Statuses of work that may be approved or rejected."""
GRAVE: Final = frozenset({0, 1, 2})
"""Priorities of incidents that nothing is deployed during: P1, P2, and none."""
_CHANGED: Final = frozenset({"version", "service", "environment", "type"})
"""Fields whose change makes approvals void."""
OPEN: Final = frozenset({_Status.open, _Status.start, _Status.in_progress, _Status.warning})
"""Statuses of incidents that are not over."""
WORK: Final = (event_pb.Type.deployment, event_pb.Type.operation)


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """How many persons must have approved, and for how long an approval holds, in microseconds.

    Approvals of callers without credentials count only if these may approve. `person` returns the id of who
    is behind a principal: that of the holder of a key.
    """

    count: int
    lasts: int
    anonymous: bool
    person: Callable[[str], str] = str


class CustomRule(NamedTuple):
    """A rule of an operator: nothing is deployed while an event is found by its query."""

    title: str
    query: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a deployment at a moment `at`; `now` is when that was read.

    `occurrences` are the freeze windows from `at` on, by their begin; `works` what is planned or under way
    for the service in the environment, `last` its deployments that ended there, the newest first. `own` is
    the event of this deployment, and `linked` the one that it links to, its plan. `before` is the environment
    in which the version must have been deployed, with whether it was. `found` is an event for each custom
    rule that has found one.
    """

    service: str
    environment: str
    version: str
    at: int
    now: int
    occurrences: Sequence[Occurrence] = ()
    lock: lock_pb.Lock | None = None
    incidents: Sequence[event_pb.Event] = ()
    works: Sequence[event_pb.Event] = ()
    last: Sequence[event_pb.Event] = ()
    own: event_pb.Event | None = None
    linked: event_pb.Event | None = None
    approvals: ApprovalRule | None = None
    before: tuple[str, bool] | None = None
    found: Mapping[CustomRule, event_pb.Event] = field(default_factory=dict)


def reasons_for(facts: Facts, readable: Readable) -> list[deployment_pb.Reason]:
    """Return every reason, the worst first; those about what is not `readable` have no details."""
    rules: Iterable[Iterator[deployment_pb.Reason]] = (_freezes(facts, readable), _environment(facts))
    if facts.at == facts.now:
        rules = (
            *rules,
            _locks(facts, readable),
            _incidents(facts, readable),
            _running(facts, readable),
            _failed(facts, readable),
            _approvals(facts),
            _promotion(facts),
            _custom(facts, readable),
        )
    found = [reason for rule in (*rules, _planned(facts, readable)) for reason in rule]
    return sorted(found, key=lambda each: -each.verdict)


def verdict_of(reasons: Sequence[deployment_pb.Reason]) -> tuple[deployment_pb.Verdict, int | None]:
    """Return the worst verdict of some reasons, and from when on it may be another one, if that is known."""
    verdict = max((each.verdict for each in reasons), default=_Verdict.yes)
    if verdict is not _Verdict.not_yet:
        return verdict, None
    ends = [each.until for each in reasons if each.verdict is _Verdict.not_yet]
    known = [micros(each) for each in ends if each is not None]
    return verdict, max(known) if len(known) == len(ends) else None


def decided(status: event_pb.Status, decision: event_pb.ChangeType) -> event_pb.Status | None:
    """Return the status that work gets by an approval or a rejection, None where it stays as it is.

    What has begun or is over stays: who decides may not know that yet.
    """
    if decision is event_pb.ChangeType.rejected:
        return _Status.close if status in UNDECIDED else None
    return _Status.planned if status is _Status.waiting_approval else None


def approvers_of(event: event_pb.Event, rule: ApprovalRule, now: int) -> set[str]:
    """Return who has approved an event as it is now: nobody for another version, and not who recorded it.

    Clients say when they approved: what is said to be of the future would last longer than the rule allows.
    """
    recorded_by = rule.person(metadata_of(event).created_by)
    approvers: dict[str, None] = {}
    for place, entry in enumerate(event.changelog):
        if entry.field in _CHANGED:
            approvers.clear()
        if not place and not recorded_by:
            recorded_by = entry.user
        approved = entry.change_type is event_pb.ChangeType.approved and not entry.field
        who = rule.person(entry.principal) or (entry.user if rule.anonymous else "")
        at = 0 if entry.timestamp is None else micros(entry.timestamp)
        if approved and who and who != recorded_by and now - rule.lasts < at <= now:
            approvers[who] = None
        elif entry.change_type is event_pb.ChangeType.rejected:
            approvers.clear()
    return set(approvers)


def _freezes(facts: Facts, readable: Readable) -> Iterator[deployment_pb.Reason]:
    begun = facts.own is not None and attributes_of(facts.own).status in RUNNING
    until = frozen_until(facts.occurrences, facts.at)
    for each in facts.occurrences:
        if each.start > facts.at or (begun and facts.own is not None and event_time(facts.own) < each.start):
            continue  # not yet, or it may finish
        kind = "freeze window" if each.is_hard else "freeze window that only warns"
        text = f"{kind} {each.window.title!r} until {moment_text(each.end)}"
        if each.is_hard and until > each.end:
            text += f"; others follow it until {moment_text(until)}"
        yield _reason(
            _Rule.freeze,
            _Verdict.not_yet if each.is_hard else _Verdict.yes,
            text if readable(each) else "a freeze window that you may not read",
            until=until if each.is_hard else each.end,
            freeze=each.window.id if readable(each) else "",
            hidden=not readable(each),
        )


def _environment(facts: Facts) -> Iterator[deployment_pb.Reason]:
    """Warn of an environment that events don't have: locks and freeze windows may have any."""
    known = event_pb.Environment.desc()
    if not number_named(known, facts.environment):
        near = nearest(facts.environment, (name for name, number in numbers(known).items() if number))
        text = f"events have no environment {facts.environment!r}: work there is not known{near}"
        yield _reason(_Rule.environment, _Verdict.yes, text)


def _locks(facts: Facts, readable: Readable) -> Iterator[deployment_pb.Reason]:
    lock = facts.lock
    if lock is None or (facts.own is not None and lock.event_id == event_id(facts.own)):
        return
    until = None if lock.expires_at is None else micros(lock.expires_at)
    if lock.expired_at is not None:  # it is free when its delay is over
        until = micros(lock.expired_at) + (0 if lock.lock_delay is None else duration_micros(lock.lock_delay))
    seen = readable(lock)
    text = f"locked by {lock.who or 'nobody named'}" + (f": {lock.reason}" if lock.reason else "")
    yield _reason(
        _Rule.lock,
        _Verdict.not_yet,
        text if seen else "locked by somebody whom you may not know",
        until=until,
        lock=lock.id if seen else "",
        hidden=not seen,
    )


def _incidents(facts: Facts, readable: Readable) -> Iterator[deployment_pb.Reason]:
    for event in facts.incidents:
        attributes = attributes_of(event)
        priority = wire_name(attributes.priority) if attributes.priority else "no priority"
        whose = (
            "" if attributes.service == facts.service else f" of {attributes.service}, which it depends on"
        )
        grave = int(attributes.priority) in GRAVE
        yield _of_event(
            _Rule.incident,
            _Verdict.not_yet if grave else _Verdict.yes,
            event,
            f"open incident ({priority}){whose}: {event.title}",
            readable,
        )


def _running(facts: Facts, readable: Readable) -> Iterator[deployment_pb.Reason]:
    for event in facts.works:
        attributes = attributes_of(event)
        if attributes.status in RUNNING:
            since = moment_text(event_time(event) // MICROS * MICROS)
            text = f"{wire_name(attributes.type)} under way since {since}: {event.title}"
            yield _of_event(_Rule.running, _Verdict.not_yet, event, text, readable)


def _failed(facts: Facts, readable: Readable) -> Iterator[deployment_pb.Reason]:
    event = next(iter(facts.last), None)
    if event is None or attributes_of(event).status not in ENDED_BADLY:
        return
    version = attributes_of(event).version
    same = bool(version) and version == facts.version
    said = f"version {version} failed here" if same else "the last deployment here failed"
    verdict = _Verdict.no if same else _Verdict.yes
    yield _of_event(_Rule.failed, verdict, event, f"{said}: {event.title}", readable)


def _planned(facts: Facts, readable: Readable) -> Iterator[deployment_pb.Reason]:
    for event in facts.works:
        attributes, end = attributes_of(event), event_end(event)
        if attributes.status not in PLANNED or event_time(event) > facts.at:
            continue
        if end is None or end <= facts.at:
            continue
        what = f"planned {wire_name(attributes.type)} until {moment_text(end)}: {event.title}"
        blocks = attributes.type is event_pb.Type.operation
        verdict = _Verdict.not_yet if blocks else _Verdict.yes
        yield _of_event(_Rule.planned, verdict, event, what, readable, until=end)


def _approvals(facts: Facts) -> Iterator[deployment_pb.Reason]:
    rule, plans = facts.approvals, _plans(facts)
    statuses = {attributes_of(event).status: event_id(event) for event in plans}
    if closed := statuses.get(_Status.close):
        yield _reason(_Rule.approval, _Verdict.no, "the deployment was rejected or closed", event=closed)
    elif rule is None or not rule.count:
        if waits := statuses.get(_Status.waiting_approval):
            yield _reason(_Rule.approval, _Verdict.not_yet, "it waits for approval", event=waits)
    elif not plans:
        needs = f"{facts.environment} needs approval by {number_of(rule.count, 'person')}"
        yield _reason(_Rule.approval, _Verdict.no, f"{needs}: plan the deployment as an event")
    else:
        most = max(plans, key=lambda event: len(approvers_of(event, rule, facts.now)))
        missing = rule.count - len(approvers_of(most, rule, facts.now))
        if missing > 0:
            needs = f"of {rule.count} that {facts.environment} needs"
            text = f"approval by {number_of(missing, 'person')} is missing, {needs}"
            yield _reason(_Rule.approval, _Verdict.not_yet, text, event=event_id(most))


def _plans(facts: Facts) -> Sequence[event_pb.Event]:
    """Return the events of this deployment: those of its service, environment and version, the plan first."""
    return [
        event
        for event in (facts.linked, facts.own)
        if event is not None
        and (of := attributes_of(event)).type in WORK
        and of.service == facts.service
        and wire_name(of.environment) == facts.environment
        and (not of.version or not facts.version or of.version == facts.version)
    ]


def _promotion(facts: Facts) -> Iterator[deployment_pb.Reason]:
    if facts.before is not None and facts.version and not facts.before[1]:
        text = f"version {facts.version} was not deployed successfully to {facts.before[0]} before"
        yield _reason(_Rule.promotion, _Verdict.no, text)


def _custom(facts: Facts, readable: Readable) -> Iterator[deployment_pb.Reason]:
    for rule, event in facts.found.items():
        yield _of_event(_Rule.custom, _Verdict.no, event, f"{rule.title}: {event.title}", readable)


def _of_event(  # noqa: PLR0913 - what a reason has
    rule: deployment_pb.Rule,
    verdict: deployment_pb.Verdict,
    event: event_pb.Event,
    text: str,
    readable: Readable,
    *,
    until: int | None = None,
) -> deployment_pb.Reason:
    if readable(event):
        return _reason(rule, verdict, text, until=until, event=event_id(event))
    hidden = f"an event that you may not read ({wire_name(rule)})"
    return _reason(rule, verdict, hidden, until=until, hidden=True)


def _reason(  # noqa: PLR0913 - what a reason has
    rule: deployment_pb.Rule,
    verdict: deployment_pb.Verdict,
    text: str,
    *,
    until: int | None = None,
    event: str = "",
    lock: str = "",
    freeze: str = "",
    hidden: bool = False,
) -> deployment_pb.Reason:
    return deployment_pb.Reason(
        rule=rule,
        verdict=verdict,
        text=text,
        until=None if until is None else timestamp(until),
        event_id=event,
        lock_id=lock,
        freeze_window_id=freeze,
        hidden=hidden,
    )
