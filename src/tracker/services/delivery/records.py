"""Reads the records that metrics of delivery are computed from, as far as a call may see them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from tracker.domain.access import glob
from tracker.domain.delivery.calendar import Period
from tracker.domain.delivery.commits import MOST_PUSHES
from tracker.domain.delivery.facts import GivenCommits, Records, push_of
from tracker.domain.delivery.records import (
    MERGE,
    Place,
    deployment_of,
    incidents_of,
    merge_of,
    told_by,
)
from tracker.domain.events import ENDED_BADLY, ENDED_WELL, attributes_of, event_time
from tracker.domain.query.fields import BY_NAME, ENVIRONMENT, SERVICE, STATUS, TYPE, label
from tracker.domain.query.matching import fits
from tracker.domain.query.tree import EVERYTHING, EventFilter, Term, all_of, any_of, both, one_of
from tracker.errors import FieldViolation, invalid
from tracker.pb import delivery_pb, event_pb
from tracker.permissions import Permission
from tracker.services.narrowing import may_touch, visible
from tracker.services.paging import MOST_READ
from tracker.stores.pages import Page, Total
from tracker.time_text import DAY, MICROS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tracker.domain.commits import Commit
    from tracker.domain.delivery.facts import Push
    from tracker.domain.delivery.records import Deployment, Incident, Merge, Told
    from tracker.domain.event_briefs import EventBrief
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call
    from tracker.stores.base import Store
    from tracker.stores.pages import Found

T = TypeVar("T")
E = TypeVar("E")

AROUND: Final = 60 * DAY
"""How long before and after a period deployments and incidents are read, too."""
_FEW: Final = 10_000
"""Records whose memory is that of an answer; with more, one call is measured at a time."""
_PAGE: Final = 1_000
_COMMITS: Final = 20
"""Commits of a push that take as much memory as a record."""
_RECORD_BYTES: Final = 800
"""About what a record takes in memory while it is measured."""
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


class Room:
    """Bounds the memory for measuring: up to `most` records a call, and one call at a time with many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def counting(self, call: Call) -> AsyncIterator[Counting]:
        """Count the records of a call, which waits for its turn when they are many, and then keeps it."""
        async with AsyncExitStack() as stack:
            yield Counting(self.most, call, partial(stack.enter_async_context, self._turn))


class Counting:
    """Counts the records that a call reads."""

    def __init__(self, most: int, call: Call, turn: Callable[[], Awaitable[object]]) -> None:
        self._most = most
        self._call = call
        self._take_turn = turn
        self._number = 0

    async def add(self, records: int) -> None:
        """Count more records; wait for the turn of the call if they are many now.

        Raises:
            TrackerError: INVALID_ARGUMENT, there are too many; RESOURCE_EXHAUSTED, no memory is left for few.
        """
        had_turn = self._number > _FEW
        self._number += records
        if self._number > self._most:
            text = f"expected a period with up to {self._most:,} deployments, incidents and pushes"
            advice = "it has more: choose a shorter one, or name services"
            raise invalid(FieldViolation("start_date", f"{text} (DELIVERY_RECORDS); {advice}"))
        self._call.answer.hold(min(self._number, _FEW) * _RECORD_BYTES)
        if self._number > _FEW and not had_turn:
            await self._take_turn()


class DeliveryReader:
    """Reads records for one call."""

    def __init__(self, store: Store, call: Call, now: int, counting: Counting) -> None:
        self._store = store
        self._call = call
        self._now = now
        self._counting = counting
        self._owners: dict[str, str] = {}
        self._places: dict[Place, Place] = {}

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
        ended = await self._deployments(where)
        deployments, failed = await asyncio.to_thread(_in_order, ended, selection)
        here: Node = EVERYTHING
        if selection.environments:
            here = one_of(ENVIRONMENT, (*selection.environments, event_pb.Environment(0)))
        incident = one_of(TYPE, (event_pb.Type.incident,))
        find = self._store.events.find
        told = await self._all(EventFilter(both(incident, here), since, until), find, self._told)
        incidents = await asyncio.to_thread(incidents_of, told)
        known = await asyncio.to_thread(lambda: {each.id for each in deployments})
        everything = await self._with_linked(deployments, known, incidents)
        measured = [
            each for each in incidents if _is_selected(each, selection) or known.intersection(each.caused_by)
        ]
        merges, first, incidents_known = [], None, bool(incidents)
        if method == delivery_pb.Method.devlake:
            merging = all_of(
                (one_of(TYPE, (event_pb.Type.operation,)), Term(BY_NAME["external_id"], (glob(f"{MERGE}*"),)))
            )
            merges = await self._all(EventFilter(merging, since, until), find, self._merge)
            incidents_known = incidents_known or await self._first(incident) is not None
        elif method == delivery_pb.Method.four_keys:
            first = await self._first(EVERYTHING)
        named = {each.commit for each in merges}.union(*(each.commits for each in measured))
        pushes, single = await self._commits(everything, selection, method, named, merges=bool(merges))
        in_period = Period(period.since, period.until, period.zone, first)
        records = Records(
            in_period, everything, measured, merges, pushes, single, selection.given, incidents_known
        )
        return Read(records, failed, [each for each in measured if period.has(each.began)])

    def _place(self, service: str, environment: event_pb.Environment, labels: Mapping[str, str]) -> Place:
        """Return a place, the same object for all records that are there."""
        place = Place(service, self._owners.get(service) or labels.get("team", ""), int(environment))
        return self._places.setdefault(place, place)

    def _place_of(self, event: event_pb.Event) -> Place:
        attributes = attributes_of(event)
        return self._place(attributes.service, attributes.environment, attributes.labels)

    def _told(self, event: event_pb.Event) -> Told:
        return told_by(event, self._place_of(event))

    def _merge(self, event: event_pb.Event) -> Merge | None:
        return merge_of(event, self._place_of(event))

    async def _deployments(self, where: EventFilter) -> list[Deployment]:
        """Return the deployments in the events that match, the last one first."""
        return await self._all(where, self._store.events.find_briefs, self._deployment)

    def _deployment(self, event: EventBrief) -> Deployment | None:
        return deployment_of(event, self._place(event.service, event.environment, event.labels))

    async def _all(
        self,
        where: EventFilter,
        find: Callable[[EventFilter, Page], Awaitable[Found[E]]],
        record: Callable[[E], T | None],
    ) -> list[T]:
        """Return the records in the events that match, of which a page is in memory at a time."""
        records: list[T] = []
        page = Page(limit=_PAGE, bytes=MOST_READ, total=Total(0))  # nobody asks how many there are
        while True:
            found = await find(visible(where, self._call), page)
            records += (made for event in found.records if (made := record(event)) is not None)
            await self._counting.add(len(found.records))
            if found.next is None:
                return records
            page = replace(page, after=found.next)

    async def _first(self, query: Node) -> int | None:
        page = Page(limit=1, total=Total(0))
        found = await self._store.events.find(
            visible(EventFilter(query), self._call), page, oldest_first=True
        )
        return event_time(found.records[0]) if found.records else None

    async def _with_linked(
        self, deployments: Sequence[Deployment], known: AbstractSet[str], incidents: Sequence[Incident]
    ) -> Sequence[Deployment]:
        """Return deployments with those, from before what was read, that incidents are linked to."""
        wanted = dict.fromkeys(each for one in incidents for each in one.caused_by if each not in known)
        first = deployments[0].finished if deployments else 0
        one_by_id = all_of(
            (one_of(TYPE, (event_pb.Type.deployment,)), one_of(BY_NAME["id"], [*wanted][:_MOST_LINKED]))
        )
        found = await self._deployments(EventFilter(one_by_id)) if wanted else ()
        earlier = [each for each in found if each.ended_well and each.finished < first]
        return [*sorted(earlier, key=attrgetter("finished")), *deployments]

    async def _commits(
        self,
        deployments: Sequence[Deployment],
        selection: Selection,
        method: delivery_pb.Method,
        named: AbstractSet[str],
        *,
        merges: bool,
    ) -> tuple[Mapping[str, Push], Mapping[str, Commit]]:
        """Return pushes by the newest commit of each, and single commits by their hash."""
        pushes: dict[str, Push] = {}
        single: dict[str, Commit] = {}
        follow = method == delivery_pb.Method.datadog or merges
        if method == delivery_pb.Method.devlake and not merges:
            return pushes, single
        deployed, asked = await asyncio.to_thread(_commits_of, deployments, selection)
        wanted: Sequence[str] = [*asked]
        for _ in range(MOST_PUSHES if follow else 1):
            await self._pushes(wanted, pushes, named, deployed)
            bases = dict.fromkeys(found.base for head in wanted if (found := pushes.get(head)))
            wanted = [each for each in bases if each and each not in deployed and each not in pushes]
            if not wanted or not follow:
                break
        if method == delivery_pb.Method.four_keys:
            left = [each for each in asked if each not in pushes]
            for number in range(0, len(left), _AT_ONCE):
                for commit in await self._store.commits.find(left[number : number + _AT_ONCE]):
                    single[commit.sha] = commit
        return pushes, single

    async def _pushes(
        self, heads: Sequence[str], pushes: dict[str, Push], named: AbstractSet[str], known: Mapping[str, str]
    ) -> None:
        for first in range(0, len(heads), _AT_ONCE):
            asked = heads[first : first + _AT_ONCE]
            found: defaultdict[str, list[Commit]] = defaultdict(list)
            for commit in await self._store.commits.pushed(asked):
                found[commit.head].append(commit)
            pushes |= {head: push_of(found[head], named, known) for head in asked if head in found}
            await self._counting.add(sum(1 + len(each) // _COMMITS for each in found.values()))


def _in_order(ended: list[Deployment], selection: Selection) -> tuple[list[Deployment], Sequence[Deployment]]:
    """Return the deployments that ended well, in the order of their ends, and others of the period.

    `ended` is in the reverse order of their begins, which those that end at the same time keep.
    """
    team, period = selection.team, selection.period
    ended = [each for each in reversed(ended) if not team or each.place.team == team]
    well = sorted((each for each in ended if each.ended_well), key=attrgetter("finished"))
    return well, [each for each in ended if not each.ended_well and period.has(each.finished)]


def _commits_of(
    deployments: Sequence[Deployment], selection: Selection
) -> tuple[Mapping[str, str], Mapping[str, None]]:
    """Return the commits that were deployed, and those of the period that the request does not have."""
    since, given = selection.period.since, selection.given
    asked = (each for each in deployments if each.commit and each.finished >= since)
    return (
        {each.commit: each.commit for each in deployments},
        dict.fromkeys(each.commit for each in asked if each.id not in given),
    )


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
