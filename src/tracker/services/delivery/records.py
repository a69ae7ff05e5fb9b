"""Reads the records that metrics of delivery are made of, as far as a call may see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from tracker.domain.access import glob
from tracker.domain.delivery.calendar import Period
from tracker.domain.delivery.commits import MOST_PUSHES
from tracker.domain.delivery.facts import DAY, GivenCommits, Records
from tracker.domain.delivery.records import (
    ENDED_BADLY,
    ENDED_WELL,
    MERGE,
    Place,
    deployment_of,
    incidents_of,
    merge_of,
)
from tracker.domain.events import EventId, attributes_of, event_time
from tracker.domain.query.fields import BY_NAME, ENVIRONMENT, SERVICE, STATUS, TYPE, label
from tracker.domain.query.matching import fits
from tracker.domain.query.tree import EVERYTHING, EventFilter, Term, all_of, any_of, both, one_of
from tracker.errors import FieldViolation, invalid
from tracker.pb import delivery_pb, event_pb
from tracker.permissions import Permission
from tracker.services.narrowing import may_touch, visible
from tracker.services.paging import MOST_READ
from tracker.stores.pages import Page, Total
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tracker.domain.commits import Commit
    from tracker.domain.delivery.records import Deployment, Incident
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call
    from tracker.stores.base import Store

T = TypeVar("T")

AROUND: Final = 60 * DAY
"""How long before and after a period deployments and incidents are read, too."""
MOST: Final = 200_000
"""Deployments, incidents and merges that are measured."""
_PAGE: Final = 2_000
_RECORD_BYTES: Final = 700
"""About what a record takes in memory."""
_MOST_LINKED: Final = 1_000
"""Deployments outside of what was read that incidents are linked to."""
_AT_ONCE: Final = 2_000
"""Commits that are looked up at once."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are measured: patterns of services, a team, and environments, all of them where empty."""

    period: Period
    services: tuple[str, ...] = ()
    team: str = ""
    environments: tuple[event_pb.Environment, ...] = ()
    given: Mapping[str, GivenCommits] = field(default_factory=dict)

    def deployments(self, owned: Iterable[str] = ()) -> Node:
        """Return the query for the deployments that have ended; `owned` are services of the team."""
        parts: list[Node] = [
            one_of(TYPE, (event_pb.Type.deployment,)),
            one_of(STATUS, (*ENDED_WELL, *ENDED_BADLY)),
        ]
        if self.environments:
            parts.append(one_of(ENVIRONMENT, self.environments))
        if self.services:
            parts.append(Term(SERVICE, tuple(map(glob, self.services))))
        if self.team:
            names = sorted(owned)
            of_team: list[Node] = [one_of(SERVICE, names)] if names else []
            parts.append(any_of((*of_team, one_of(label("team"), (self.team,)))))
        return all_of(tuple(parts))


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: the records, and the deployments of the period that did not end well."""

    records: Records
    failed: Sequence[Deployment]
    incidents: Sequence[Incident]


class DeliveryReader:
    """Reads records for one call."""

    def __init__(self, store: Store, call: Call, now: int) -> None:
        self._store = store
        self._call = call
        self._now = now
        self._number = 0
        self._owners: dict[str, str] = {}

    async def read(self, selection: Selection, method: delivery_pb.Method) -> Read:
        """Return the records of a selection.

        Raises:
            TrackerError: INVALID_ARGUMENT; there are too many.
        """
        found = await self._store.catalog.find(Page())
        self._owners = {
            entry.name: entry.owner
            for entry in found.records
            if entry.owner and may_touch(self._call, Permission.CATALOG_READ, entry)
        }
        period = selection.period
        since, until = period.since - AROUND, min(self._now + 1, period.until + AROUND)
        owned = [name for name, owner in self._owners.items() if owner == selection.team]
        where = EventFilter(selection.deployments(owned), since, until)
        ended = await self._all(where, partial(deployment_of, place=self._place))
        ended = [each for each in ended if not selection.team or each.place.team == selection.team]
        deployments = sorted(
            (each for each in ended if each.ended_well), key=lambda each: (each.finished, each.started)
        )
        here: Node = EVERYTHING
        if selection.environments:
            here = one_of(ENVIRONMENT, (*selection.environments, event_pb.Environment(0)))
        incident = one_of(TYPE, (event_pb.Type.incident,))
        events = await self._all(EventFilter(both(incident, here), since, until), lambda event: event)
        incidents = incidents_of(events, self._place)
        known = {each.id for each in deployments}
        deployments = await self._with_linked(deployments, incidents)
        measured = [
            each for each in incidents if _is_selected(each, selection) or known.intersection(each.caused_by)
        ]
        merges, first, incidents_known = [], None, bool(incidents)
        if method == delivery_pb.Method.devlake:
            merging = all_of(
                (one_of(TYPE, (event_pb.Type.operation,)), Term(BY_NAME["external_id"], (glob(f"{MERGE}*"),)))
            )
            merges = await self._all(EventFilter(merging, since, until), partial(merge_of, place=self._place))
            incidents_known = incidents_known or await self._first(incident) is not None
        elif method == delivery_pb.Method.four_keys:
            first = await self._first(EVERYTHING)
        pushes, single = await self._commits(deployments, selection, method, merges=bool(merges))
        in_period = Period(period.since, period.until, period.zone, first)
        records = Records(
            in_period, deployments, measured, merges, pushes, single, selection.given, incidents_known
        )
        failed = [each for each in ended if not each.ended_well and period.has(each.finished)]
        return Read(records, failed, [each for each in measured if period.has(each.began)])

    def _place(self, event: event_pb.Event) -> Place:
        attributes = attributes_of(event)
        team = self._owners.get(attributes.service) or attributes.labels.get("team", "")
        return Place(attributes.service, team, int(attributes.environment))

    async def _all(self, where: EventFilter, record: Callable[[event_pb.Event], T | None]) -> list[T]:
        """Return the records in the events that match, of which a page is in memory at a time."""
        records: list[T] = []
        page = Page(limit=_PAGE, bytes=MOST_READ, total=Total(0))  # nobody asks how many there are
        while True:
            found = await self._store.events.find(visible(where, self._call), page)
            records += (made for event in found.records if (made := record(event)) is not None)
            self._number += len(found.records)
            self._call.answer.hold(self._number * _RECORD_BYTES)
            if self._number > MOST:
                raise _too_many()
            if found.next is None:
                return records
            page = Page(limit=_PAGE, after=found.next, bytes=MOST_READ, total=Total(0))

    async def _first(self, query: Node) -> int | None:
        page = Page(limit=1, total=Total(0))
        found = await self._store.events.find(
            visible(EventFilter(query), self._call), page, oldest_first=True
        )
        return event_time(found.records[0]) if found.records else None

    async def _with_linked(
        self, deployments: list[Deployment], incidents: Sequence[Incident]
    ) -> list[Deployment]:
        """Return deployments with those, from before what was read, that incidents are linked to."""
        known = {each.id for each in deployments}
        wanted = dict.fromkeys(each for one in incidents for each in one.caused_by if each not in known)
        earlier = []
        for each in [*wanted][:_MOST_LINKED]:
            event = await self._store.events.get(EventId(each))
            if event is None or attributes_of(event).type != event_pb.Type.deployment:
                continue
            made = deployment_of(event, self._place)
            first = deployments[0].finished if deployments else 0
            if made is not None and made.ended_well and may_touch(self._call, Permission.EVENT_READ, event):
                earlier += [made] if made.finished < first else []
        return [*sorted(earlier, key=lambda each: each.finished), *deployments]

    async def _commits(
        self,
        deployments: Sequence[Deployment],
        selection: Selection,
        method: delivery_pb.Method,
        *,
        merges: bool,
    ) -> tuple[Mapping[str, Sequence[Commit]], Mapping[str, Commit]]:
        """Return the commits of pushes by the newest one of each, and single ones by their hash."""
        since = selection.period.since
        asked = {
            each.commit: None
            for each in deployments
            if each.commit and each.id not in selection.given and each.finished >= since
        }
        pushes: dict[str, list[Commit]] = {}
        single: dict[str, Commit] = {}
        follow = method == delivery_pb.Method.datadog or merges
        if method == delivery_pb.Method.devlake and not merges:
            return pushes, single
        deployed, wanted = {each.commit for each in deployments}, [*asked]
        for _ in range(MOST_PUSHES if follow else 1):
            await self._pushes(wanted, pushes)
            bases = dict.fromkeys(found[0].base for head in wanted if (found := pushes.get(head)))
            wanted = [each for each in bases if each and each not in deployed and each not in pushes]
            if not wanted or not follow:
                break
        if method == delivery_pb.Method.four_keys:
            left = [each for each in asked if each not in pushes]
            for number in range(0, len(left), _AT_ONCE):
                for commit in await self._store.commits.find(left[number : number + _AT_ONCE]):
                    single[commit.sha] = commit
        return pushes, single

    async def _pushes(self, heads: Sequence[str], pushes: dict[str, list[Commit]]) -> None:
        for number in range(0, len(heads), _AT_ONCE):
            for commit in await self._store.commits.pushed(heads[number : number + _AT_ONCE]):
                pushes.setdefault(commit.head, []).append(commit)
                self._number += 1
        self._call.answer.hold(self._number * _RECORD_BYTES)
        if self._number > MOST:
            raise _too_many()


def _is_selected(incident: Incident, selection: Selection) -> bool:
    """Return whether an incident is one of the selection by its own service and team."""
    if selection.team and incident.place.team != selection.team:
        return False
    names = map(glob, selection.services)
    return not selection.services or any(fits(name, incident.place.service) for name in names)


def given_commits(request: delivery_pb.GetDeliveryMetricsRequest) -> Mapping[str, GivenCommits]:
    """Return the commits that a request has, by the ids of deployments."""
    return {
        each.event_id.lower(): GivenCommits(
            [at * MICROS for at in each.committed_at], [at * MICROS for at in each.merged_at]
        )
        for each in request.commits
    }


def _too_many() -> Exception:
    text = f"the period has more than {MOST:,} deployments, incidents and commits; choose a shorter one,"
    return invalid(FieldViolation("start_date", f"{text} or name services"))
