"""One event with all that is known about it, for its own page and beside the list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import UInt32Value

from tracker.domain.events import attributes_of, event_id, event_time, metadata_of
from tracker.domain.query.fields import BY_NAME
from tracker.domain.scopes import subject_of
from tracker.pb import event_pb, lock_pb
from tracker.pb.options import name_if_set, wire_name
from tracker.time_text import HOUR, MICROS, moment_text
from tracker.web.causes import causes
from tracker.web.entry_address import entry_address
from tracker.web.event_rows import event_row
from tracker.web.lock_rows import lock_row
from tracker.web.query_terms import term
from tracker.web.searches import search
from tracker.web.times import length
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from tracker.web.causes import Causes
    from tracker.web.event_rows import EventRow
    from tracker.web.lock_rows import LockRow
    from tracker.web.visit import Part, Visit

_ENTRIES: Final = 1_000
"""Entries of a changelog that is shown whole."""
_AROUND: Final = HOUR
"""How long before and after an event others happened 'around this one'."""
_NEIGHBOURS: Final = 10
_FIELDS: Final = (
    *("type", "service", "environment", "priority", "impact", "version", "owner", "source", "external_id"),
    *("region", "cluster", "slack", "trace"),
)


class Fact(NamedTuple):
    """A field of an event; `href` leads to the events with the same value."""

    name: str
    value: str
    href: str


class Address(NamedTuple):
    """A link of an event, as it is stored."""

    name: str
    text: str


class ChainLink(NamedTuple):
    """An event of the chain, how far it is from the root, and the time since the one before."""

    row: EventRow
    depth: int
    since_previous: str
    current: bool


class Entry(NamedTuple):
    """An entry of the changelog."""

    when: Markup
    user: str
    kind: str
    field: str
    old: str
    new: str
    comment: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Entries of a changelog, oldest first: the newest of `total`, or of the `whole` changelog the first."""

    entries: tuple[Entry, ...]
    total: int
    whole: bool

    @property
    def rest(self) -> int:
        """How many entries are not among them."""
        return self.total - len(self.entries)


@dataclass(frozen=True, slots=True)
class EventDetail:
    """An event and what belongs to it; each part has its own error.

    `edit` is the address of the form that changes it, "" for readers who may not.
    """

    row: EventRow
    message: str
    facts: tuple[Fact, ...]
    labels: tuple[Fact, ...]
    people: tuple[tuple[str, str], ...]
    links: tuple[Address, ...]
    dates: tuple[tuple[str, Markup], ...]
    since_linked: str
    causes: Part[Causes | None]
    changes: Part[Changes]
    chain: Part[tuple[ChainLink, ...]]
    locks: Part[tuple[LockRow, ...]]
    around: Part[tuple[EventRow, ...]]
    around_link: str
    api: str
    tracker: str
    why: str
    """The address of what may have caused it, "" for an event that is not an incident."""
    edit: str
    entry: str
    """The address of its service in the catalog, "" where it names none."""


async def event_detail(visit: Visit, id_or_slack_id: str, *, whole: bool = False) -> EventDetail:
    """Return an event with its changelog, chain, locks and neighbours, and `whole` also with its causes.

    Raises:
        TrackerError: NOT_FOUND; there is no such event.
    """
    answer = await visit.ask(event_pb.GetEventRequest(id=id_or_slack_id), event_pb.GetEventResponse)
    event = answer.event or event_pb.Event()
    attributes, metadata = attributes_of(event), metadata_of(event)
    why, changes, chain, locks, around = await asyncio.gather(
        part(causes(visit, event if whole else event_pb.Event())),
        part(_changes(visit, event)),
        part(_chain(visit, event)),
        part(_locks(visit, event)),
        part(_around(visit, event)),
    )
    times = visit.times
    dates = (
        ("created", metadata.created_at),
        ("start", attributes.start_date),
        ("end", attributes.end_date),
    )
    links = event.links or event_pb.EventLinks()
    people = (
        ("stakeholders", ", ".join(attributes.stake_holders)),
        ("notified", ", ".join(attributes.notifications)),
    )
    return EventDetail(
        row=event_row(event, times),
        message=attributes.message,
        facts=tuple(_facts(event)),
        labels=tuple(
            _fact(f"label.{name}", value)._replace(name=name)
            for name, value in sorted(attributes.labels.items())
        ),
        people=tuple((name, value) for name, value in people if value),
        links=tuple(
            Address(name, text)
            for name, text in (("pull request", links.pull_request_link), ("ticket", links.ticket))
            if text
        ),
        dates=tuple((name, times.long_tag(moment)) for name, moment in dates if moment is not None),
        since_linked=length(metadata.duration) if attributes.related_id and metadata.duration else "",
        causes=why,
        changes=changes,
        chain=chain,
        locks=locks,
        around=around,
        around_link=_around_link(event),
        api=f"/api/v1alpha1/event/{metadata.id}",
        tracker=f"tracker event get {metadata.id}",
        why=f"/events/{metadata.id}#why" if attributes.type == event_pb.Type.incident else "",
        edit=f"/events/{metadata.id}/edit" if visit.may("event:write", *subject_of(event)) else "",
        entry=entry_address(attributes.service) if attributes.service else "",
    )


def _facts(event: event_pb.Event) -> Iterator[Fact]:
    for name in _FIELDS:
        field = BY_NAME[name]
        value = field.shown(field.value(event))
        if value and value != "false":
            yield _fact(name, value)


def _fact(name: str, value: str) -> Fact:
    return Fact(name, value, address("/events", [("q", term(name, value)), ("from", "all")]))


async def _changes(visit: Visit, event: event_pb.Event) -> Changes:
    """Return the newest entries, which the event has, and the others where they are asked for."""
    changelog, total = event.changelog, event.changelog_total or len(event.changelog)
    whole = bool(visit.choice("changelog", ("all",)))
    if whole and event.changelog_total:
        found = await visit.ask(
            event_pb.GetEventChangelogRequest(id=event_id(event), per_page=UInt32Value(value=_ENTRIES)),
            event_pb.GetEventChangelogResponse,
        )
        changelog, total = found.changelog, found.total_count
    entries = (
        Entry(
            visit.times.tag(each.timestamp),
            each.user,
            name_if_set(each.change_type).replace("_", " "),
            each.field,
            each.old_value,
            each.new_value,
            each.comment,
        )
        for each in changelog
    )
    return Changes(tuple(entries), total, whole)


async def _chain(visit: Visit, event: event_pb.Event) -> tuple[ChainLink, ...]:
    found = await visit.ask(
        event_pb.ListRelatedEventsRequest(id=event_id(event)), event_pb.ListRelatedEventsResponse
    )
    links = [
        ChainLink(
            event_row(each.event, visit.times),
            each.depth,
            length(each.since_previous),
            event_id(each.event) == event_id(event),
        )
        for each in found.events
        if each.event is not None
    ]
    return tuple(links) if len(links) > 1 else ()


async def _locks(visit: Visit, event: event_pb.Event) -> tuple[LockRow, ...]:
    attributes = attributes_of(event)
    if not attributes.environment:
        return ()
    found = await visit.ask(
        lock_pb.ListLocksRequest(service=attributes.service, environment=wire_name(attributes.environment)),
        lock_pb.ListLocksResponse,
    )
    return tuple(lock_row(lock, visit.times) for lock in found.locks if lock.event_id == event_id(event))


async def _around(visit: Visit, event: event_pb.Event) -> tuple[EventRow, ...]:
    at = event_time(event)
    found = await search(
        visit,
        _around_query(event),
        _NEIGHBOURS + 1,
        start_date=moment_text(at - _AROUND),
        end_date=moment_text(at + _AROUND),
    )
    others = [each for each in found.events if event_id(each) != event_id(event)]
    return tuple(event_row(each, visit.times) for each in others[:_NEIGHBOURS])


def _around_query(event: event_pb.Event) -> str:
    environment = attributes_of(event).environment
    return term("environment", wire_name(environment)) if environment else ""


def _around_link(event: event_pb.Event) -> str:
    at = event_time(event) - event_time(event) % MICROS
    times = [("from", moment_text(at - _AROUND)), ("to", moment_text(at + _AROUND))]
    return address("/events", [("q", _around_query(event)), *times])
