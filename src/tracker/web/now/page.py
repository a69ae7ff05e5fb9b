"""The page Now."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.domain.events import event_time
from tracker.pb import event_pb, lock_pb
from tracker.time_text import DAY
from tracker.web.event_rows import event_row
from tracker.web.forms import Done
from tracker.web.freezes.rows import occurrence_row, occurrences
from tracker.web.lock_rows import lock_row
from tracker.web.now.last_visit import last_visit, since
from tracker.web.now.sample_data import fill, may_fill
from tracker.web.now.under_way import LOOKED_AT, under_way, without_ended
from tracker.web.now.under_way import QUERY as UNDER_WAY
from tracker.web.searches import search
from tracker.web.site import View
from tracker.web.visit import Part, address, part

if TYPE_CHECKING:
    from tracker.web.event_rows import EventRow
    from tracker.web.freezes.rows import FreezeRow
    from tracker.web.lock_rows import LockRow
    from tracker.web.now.last_visit import Since
    from tracker.web.visit import Visit

_MOST: Final = 10
_AHEAD_DAYS: Final = 7
_OPEN: Final = "type:incident status:(open OR start OR in_progress OR warning)"
_FAILED: Final = "status:(failure OR error)"
_PLANNED: Final = "status:(planned OR waiting_approval) (time:today OR (before:today end:>=today))"


@dataclass(frozen=True, slots=True)
class Found:
    """The first events of a list, how many there are, and the address of all; `following` is the next one."""

    rows: tuple[EventRow, ...]
    total: int
    href: str
    following: EventRow | None = None


@dataclass(frozen=True, slots=True)
class Locks:
    """The newest of the locks that are held, and how many are."""

    rows: tuple[LockRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Freezes:
    """The next times at which freeze windows are in effect, and how many there are."""

    rows: tuple[FreezeRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Copy:
    """What asks for a part of the page elsewhere: a path of the API, and a command."""

    name: str
    api: str
    tracker: str


def _copy(name: str, query: str) -> Copy:
    api = address("/api/v1alpha1/events/search", {"query": query, "per_page": "100"})
    return Copy(name, api, f"tracker event search {shlex.quote(query)}")


_COPIES: Final = (
    _copy("Open incidents", _OPEN),
    _copy("Under way", UNDER_WAY),
    _copy("Failures", f"{_FAILED} since:24h"),
    _copy("Planned today", _PLANNED),
    Copy("Held locks", "/api/v1alpha1/locks/list", "tracker lock list"),
)


class Now:
    """Shows what is happening, and on a new server how to begin."""

    path = "/"

    async def submit(self, visit: Visit) -> Done:
        """Fill a server that has no events with those of a sample."""
        if await _recorded(visit):
            return Done(self.path, "Nothing was added: this server has events already.")
        await fill(visit)
        return Done(self.path, "These are sample events of the last two weeks.")

    async def show(self, visit: Visit) -> View:
        """Show the page, or with `part` only what changes while it is open."""
        seen = last_visit(visit)
        works, incidents, failures, planned, locks, changes = await asyncio.gather(
            part(under_way(visit)),
            part(_incidents(visit)),
            part(_failures(visit)),
            part(_planned(visit)),
            part(_locks(visit)),
            _changes(visit, seen.ended),
        )
        freezes = await part(_freezes(visit))
        lists = (works.value, incidents.value, failures.value, planned.value, locks.value)
        quiet = all(each is not None and not each.total for each in lists)
        visit.headers.append(seen.cookie)
        return View(
            "now/parts.html" if visit.choice("part", ("main",)) else "now/page.html",
            works=works,
            incidents=incidents,
            locks=locks,
            freezes=freezes,
            failures=failures,
            planned=planned,
            changes=changes,
            is_new=quiet and await _recorded(visit) == 0,
            may_fill=may_fill(visit),
            copies=_COPIES,
        )


async def _changes(visit: Visit, ended: int | None) -> Part[Since]:
    return Part(None) if ended is None else await part(since(visit, ended))


async def _incidents(visit: Visit) -> Found:
    found = await search(visit, _OPEN, LOOKED_AT, time_zone=visit.zone)
    events = await without_ended(visit, found.events)
    rows = tuple(
        event_row(event, visit.times)._replace(when=visit.times.tag(event_time(event), age=True))
        for event in events[:_MOST]
    )
    total = found.total_count - len(found.events) + len(events)
    return Found(rows, total, address("/events", [("q", _OPEN), ("from", "all")]))


async def _failures(visit: Visit) -> Found:
    found = await search(visit, f"{_FAILED} since:24h", _MOST, time_zone=visit.zone)
    rows = tuple(event_row(event, visit.times) for event in found.events)
    return Found(rows, found.total_count, address("/events", [("q", _FAILED), ("from", "24h")]))


async def _planned(visit: Visit) -> Found:
    found = await search(visit, _PLANNED, _MOST, order_by="time", time_zone=visit.zone)
    rows = tuple(event_row(event, visit.times) for event in found.events)
    href = address("/events", [("q", _PLANNED), ("from", "all"), ("to", "today"), ("sort", "time")])
    return Found(rows, found.total_count, href, None if rows else await _next_planned(visit))


async def _next_planned(visit: Visit) -> EventRow | None:
    found = await search(
        visit,
        "status:(planned OR waiting_approval) time:>=tomorrow",
        1,
        order_by="time",
        time_zone=visit.zone,
    )
    return event_row(found.events[0], visit.times) if found.events else None


async def _locks(visit: Visit) -> Locks:
    found = await visit.ask(
        lock_pb.ListLocksRequest(per_page=UInt32Value(value=_MOST)), lock_pb.ListLocksResponse
    )
    rows = tuple(lock_row(lock, visit.times, found.waiters) for lock in found.locks)
    return Locks(rows, found.total_count)


async def _freezes(visit: Visit) -> Freezes:
    """Return the freeze windows that are in effect, or will be within a week."""
    found = await occurrences(visit, visit.clock.now, visit.clock.now + _AHEAD_DAYS * DAY)
    return Freezes(tuple(occurrence_row(each, visit.times) for each in found[:_MOST]), len(found))


async def _recorded(visit: Visit) -> int:
    """Return how many events there are."""
    found = await visit.ask(
        event_pb.ListEventsRequest(per_page=UInt32Value(value=1)), event_pb.ListEventsResponse
    )
    return found.total_count
