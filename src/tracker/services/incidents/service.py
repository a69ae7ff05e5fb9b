"""The incident service: which changes may have caused an incident, and which did."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from tracker.domain import changelog
from tracker.domain.causes.features import Change, changes_before
from tracker.domain.causes.links import linked, links_of
from tracker.domain.causes.ranking import ranked
from tracker.domain.causes.weights import NO_RECORDED_CAUSE
from tracker.domain.causes.words import reasons
from tracker.domain.event_locks import EventChange
from tracker.domain.events import event_id, event_key
from tracker.domain.freezes import shown_occurrence
from tracker.domain.times import read_named, timestamp
from tracker.errors import FieldViolation, Reason, TrackerError
from tracker.pb import incident_pb
from tracker.permissions import Permission
from tracker.services.context import answer_with
from tracker.services.events.filters import event_not_found
from tracker.services.narrowing import may_touch, require_change
from tracker.services.paging import PAGE_BYTES, given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.domain.causes.freezes import LiftedFreeze
    from tracker.domain.causes.ranking import Ranked
    from tracker.pb import event_pb, lock_pb
    from tracker.services.context import Call, Context
    from tracker.services.incidents.records import RecordReader
    from tracker.stores.events import EventStore

_SUSPECTS: Final = 20
"""Changes to return without `limit`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """By what the service judges: the weights of features, and the share from which a change is suspected."""

    weights: Mapping[str, float]
    threshold: float


class IncidentService:
    """Answers `tracker.incident.v1alpha1.IncidentService`."""

    def __init__(
        self, events: EventStore, reader: RecordReader, context: Context, judgement: Judgement
    ) -> None:
        self._events = events
        self._reader = reader
        self._context = context
        self._judgement = judgement

    async def explain_incident(
        self, request: incident_pb.ExplainIncidentRequest, call: Call
    ) -> incident_pb.ExplainIncidentResponse:
        incident = await self._get(request.id, call)
        as_of = read_named("as_of", request.as_of).interval.low if request.as_of else self._context.now()
        links = {} if request.as_of else links_of(incident)
        records = await self._reader.before(incident, links, call, as_of)
        changes = changes_before(incident, records.events, records.places, records.history, as_of)
        compared: Sequence[Change | LiftedFreeze] = [*changes, *records.freezes]
        ranking = ranked(compared, self._judgement.weights, links)
        limit = given(request.limit, _SUSPECTS)
        shown = _fitting([self._suspect(each, incident) for each in ranking.changes[:limit]])
        self._context.report(call, "incident explained", id=event_id(incident), changes=len(compared))
        return incident_pb.ExplainIncidentResponse(
            incident=incident,
            verdict=_verdict(ranking.changes, self._judgement.threshold),
            suspects=shown,
            no_recorded_cause=ranking.no_recorded_cause,
            no_recorded_cause_score=self._judgement.weights[NO_RECORDED_CAUSE],
            change_count=len(compared),
            other_share=sum(each.share for each in ranking.changes[len(shown) :]),
            incomplete=records.incomplete,
            threshold=self._judgement.threshold,
            since=timestamp(records.since),
            as_of=timestamp(as_of),
            neighbour_count=len(records.places) - 1,
            weights=dict(self._judgement.weights),
        )

    async def link_change(
        self, request: incident_pb.LinkChangeRequest, call: Call
    ) -> incident_pb.LinkChangeResponse:
        change = await self._events.get(event_key(request.change_id))
        if change is None or not may_touch(call, Permission.EVENT_READ, change):
            raise _no_change(request.change_id)
        unknown, now = partial(event_not_found, request.id), self._context.now()

        def link(incident: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            require_change(call, Permission.EVENT_WRITE, incident, unknown)
            after = linked(incident, change, request.link, now, request.comment, request.who)
            return EventChange(changelog.signed(after, len(incident.changelog), call.principal, request.who))

        incident = await self._events.modify(event_key(request.id), link, call.once(_linked))
        if incident is None:
            raise unknown()
        self._context.report(
            call, "change linked", id=event_id(incident), change_id=event_id(change), link=request.link.name
        )
        return _linked(incident)

    async def _get(self, id_or_slack_id: str, call: Call) -> event_pb.Event:
        event = await self._events.get(event_key(id_or_slack_id))
        if event is None or not may_touch(call, Permission.EVENT_READ, event):
            raise event_not_found(id_or_slack_id)
        return event

    def _suspect(self, each: Ranked, incident: event_pb.Event) -> incident_pb.Suspect:
        candidate, place = each.change, each.change.place
        return incident_pb.Suspect(
            change=_without_changelog(candidate.event) if isinstance(candidate, Change) else None,
            lifted_freeze=None if isinstance(candidate, Change) else shown_occurrence(candidate.occurrence),
            share=each.share,
            score=each.score,
            reasons=reasons(each.change, incident, self._judgement.weights),
            link=each.link,
            distance=None if place is None else place.distance,
            caller=place is not None and place.caller,
        )


_linked = answer_with(incident_pb.LinkChangeResponse, "incident")


def _without_changelog(event: event_pb.Event) -> event_pb.Event:
    event = copy.copy(event)
    event.changelog = []
    event.clear_field("changelog_total")
    return event


def _fitting(suspects: Sequence[incident_pb.Suspect]) -> list[incident_pb.Suspect]:
    """Return the first suspects, as many as fit an answer."""
    sizes = accumulate(len(each.to_binary()) for each in suspects)
    return [each for each, size in zip(suspects, sizes, strict=True) if size <= PAGE_BYTES]


def _verdict(changes: Sequence[Ranked], threshold: float) -> incident_pb.Verdict:
    if changes and changes[0].link == incident_pb.Link.caused_by:
        return incident_pb.Verdict.confirmed
    if changes and changes[0].share >= threshold:
        return incident_pb.Verdict.suspected
    return incident_pb.Verdict.no_recorded_cause


def _no_change(change_id: str) -> TrackerError:
    message = f"no event found in tracker for change_id {change_id}"
    return TrackerError(
        Reason.RELATED_EVENT_NOT_FOUND,
        message,
        metadata={"related_id": change_id},
        violations=[FieldViolation("change_id", message)],
    )
