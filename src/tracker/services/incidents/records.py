"""Reads what was recorded before an incident, as far as a call may see it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracker.domain.causes.features import CHANGES, LATE
from tracker.domain.causes.freezes import lifted_before
from tracker.domain.causes.history import History, neighbourhood
from tracker.domain.dependencies import dependencies_of
from tracker.domain.events import EventId, attributes_of, event_id, event_time
from tracker.domain.freeze_scopes import visible_part
from tracker.domain.query.fields import ENVIRONMENT, SERVICE, TYPE
from tracker.domain.query.tree import EventFilter, Not, all_of, one_of
from tracker.domain.scopes import Subject, subject_of
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.services.narrowing import may_touch, visible
from tracker.services.paging import MOST_READ
from tracker.stores.pages import Page, Total
from tracker.time_text import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tracker.domain.causes.freezes import LiftedFreeze
    from tracker.domain.causes.history import Place
    from tracker.domain.query.tree import Node
    from tracker.pb import freeze_pb
    from tracker.services.context import Call
    from tracker.stores.base import CatalogStore
    from tracker.stores.events import EventStore
    from tracker.stores.records import RecordStore

_INCIDENT: Final = event_pb.Type.incident
_NEAR, _FAR = 500, 200
"""Changes that are read of the service and its neighbours, and of others."""
_SHORTLY: Final = 2 * HOUR
"""How long before an incident changes of any service are compared with it."""
_QUIET: Final = 7 * DAY
"""How long before it those of a neighbourhood are that had none in the usual period."""
_AFTER: Final = 4 * HOUR
"""How long after it a change may be rolled back because of it."""
_PAST: Final = 14 * DAY
"""The period before that, of which changes and incidents are counted."""


@dataclass(frozen=True, slots=True)
class Records:
    """What was recorded before an incident; `incomplete` is whether there were more events than were read."""

    events: Sequence[event_pb.Event]
    freezes: Sequence[LiftedFreeze]
    places: Mapping[str, Place]
    history: History
    since: int
    incomplete: bool


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads the events, catalog entries and freeze windows that may explain an incident.

    `_window` is how long before it is searched, in microseconds.
    """

    _events: EventStore
    _catalog: CatalogStore
    _freezes: RecordStore[freeze_pb.FreezeWindow]
    _window: int

    async def before(self, incident: event_pb.Event, links: Iterable[str], call: Call, as_of: int) -> Records:
        """Return what a call may see of what was recorded before an incident, and up to `as_of` after it.

        `links` are ids of further events to return.
        """
        attributes, at = attributes_of(incident), event_time(incident)
        places, owners = await self._places(attributes.service, call)
        near = one_of(SERVICE, places)
        since, until = at - self._window, min(at + _AFTER, as_of + 1)
        changes = one_of(TYPE, CHANGES)
        here: tuple[Node, ...] = ()
        if attributes.environment:
            here = (one_of(ENVIRONMENT, [attributes.environment, 0]),)
        incidents, alike_until = one_of(TYPE, [_INCIDENT]), min(at + HOUR, as_of + 1)
        shortly = at - min(_SHORTLY, self._window)
        found, others, alike = await asyncio.gather(
            self._find(EventFilter(all_of((changes, near)), since, until), _NEAR, call),
            self._find(
                EventFilter(all_of((changes, Not(near), *here)), shortly, min(at + LATE, until)), _FAR, call
            ),
            self._find(EventFilter(all_of((incidents, *here)), at - HOUR, alike_until), _FAR, call),
        )
        if not any(event_time(event) <= at for event in found[0]):
            since = min(since, at - _QUIET)
            found = await self._find(EventFilter(all_of((changes, near)), since, until), _NEAR, call)
        known = {event_id(event): event for event in (*found[0], *others[0])}
        events = [*known.values(), *await self._linked([each for each in links if each not in known], call)]
        services = {attributes_of(event).service for event in events}
        alike_first = sorted(alike[0], key=lambda event: -abs(event_time(event) - at))
        failing = {attributes_of(event).service: event_time(event) for event in alike_first}
        history = replace(await self._history(services, since, call), failing=failing)
        environment = subject_of(incident).environment
        subjects = {Subject(name, environment, owners.get(name, "")): place for name, place in places.items()}
        windows, period = await self._windows(call), (since, min(at, as_of))
        freezes = lifted_before(incident, windows, subjects, events, period)
        return Records(events, freezes, places, history, since, found[1] or others[1])

    async def _places(self, service: str, call: Call) -> tuple[Mapping[str, Place], Mapping[str, str]]:
        """Return the places of services, and their owners."""
        found = await self._catalog.find(Page())
        readable = [entry for entry in found.records if may_touch(call, Permission.CATALOG_READ, entry)]
        owners = {entry.name: entry.owner for entry in readable}
        return neighbourhood(dependencies_of(readable), service), owners

    async def _windows(self, call: Call) -> Sequence[freeze_pb.FreezeWindow]:
        scopes = call.principal.scopes(Permission.FREEZE_READ)
        if scopes == ():
            return ()
        found = (visible_part(each, scopes) for each in await self._freezes.find())
        return [each for each in found if each is not None]

    async def _find(self, where: EventFilter, most: int, call: Call) -> tuple[Sequence[event_pb.Event], bool]:
        if where.since is None or where.until is None or where.until <= where.since:
            return (), False
        page = Page(limit=most, bytes=MOST_READ, total=Total(0))  # nobody asks how many there are
        found = await self._events.find(visible(where, call), page)
        return found.records, found.next is not None

    async def _linked(self, ids: Iterable[str], call: Call) -> Sequence[event_pb.Event]:
        found = await asyncio.gather(*(self._events.get(EventId(each)) for each in ids))
        return [event for event in found if event and may_touch(call, Permission.EVENT_READ, event)]

    async def _history(self, services: Collection[str], until: int, call: Call) -> History:
        if not services:
            return History()
        of_type = [
            EventFilter(
                all_of((one_of(TYPE, types), one_of(SERVICE, sorted(services)))), until - _PAST, until
            )
            for types in (CHANGES, (_INCIDENT,))
        ]
        counts = await asyncio.gather(
            *(self._events.count_by(visible(where, call), (SERVICE,), len(services)) for where in of_type)
        )
        changes, incidents = ({str(each.value): each.events for each in tallies[0]} for _, tallies in counts)
        return History(changes, incidents)
