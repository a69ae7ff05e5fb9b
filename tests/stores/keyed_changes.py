"""Changes of every kind, each with an idempotency key if one is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.stores.samples import (
    a_catalog_entry,
    a_link,
    a_lock,
    an_end,
    an_event,
    id_number,
    noting,
    taken,
)

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.locks import HeldLock, LockFilter
from tracker.domain.query.tree import EventFilter
from tracker.stores.idempotency import Once
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.pb import catalog_pb, event_pb, link_pb, lock_pb
    from tracker.stores.base import Store

EVENT, LOCK, LINK = id_number(1), id_number(2), id_number(3)
Change: TypeAlias = Callable[["Store", Once[Any] | None], Awaitable[Any]]


def renewed(held: HeldLock) -> lock_pb.Lock:
    lock = deepcopy(held.lock)
    lock.renewals += 1
    return lock


def moved(held: HeldLock) -> lock_pb.Lock:
    lock = deepcopy(held.lock)
    lock.service = "elsewhere"
    return lock


def relinked(link: link_pb.Link) -> link_pb.Link:
    link = deepcopy(link)
    link.name += "+"
    return link


def versioned(entry: catalog_pb.Catalog | None) -> catalog_pb.Catalog:
    entry = deepcopy(entry) if entry is not None else a_catalog_entry("shop")
    entry.version += "+"
    return entry


def with_lock(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
    return EventChange(noting("began")(event, []).event, acquire=a_lock("of-work", event_id=EVENT))


CHANGES: dict[str, Change] = {
    "event created": lambda store, use: store.events.create(an_event(), None, use),
    "event created with lock": lambda store, use: store.events.create(an_event(), a_lock("new"), use),
    "event changed": lambda store, use: store.events.modify(EventId(EVENT), noting("again"), use),
    "event changed with lock": lambda store, use: store.events.modify(EventId(EVENT), with_lock, use),
    "event deleted": lambda store, use: store.events.delete(EventId(EVENT), an_end(), use),
    "entry made": lambda store, use: store.catalog.upsert("new", versioned, use),
    "entry described": lambda store, use: store.catalog.upsert("shop", versioned, use),
    "entry changed": lambda store, use: store.catalog.modify("shop", versioned, use),
    "entry deleted": lambda store, use: store.catalog.delete("shop", use),
    "lock taken": lambda store, use: store.locks.acquire(HeldLock(a_lock("new")), None, use),
    "lock changed": lambda store, use: store.locks.modify(LOCK, renewed, use),
    "lock moved": lambda store, use: store.locks.modify(LOCK, moved, use),
    "lock released": lambda store, use: store.locks.release(LOCK, lambda _: an_end("over"), use),
    "link made": lambda store, use: store.links.create(a_link("docs", "new"), use),
    "link changed": lambda store, use: store.links.modify(LINK, relinked, use),
    "link deleted": lambda store, use: store.links.delete(LINK, use),
}


async def prepare(store: Store) -> None:
    await store.events.create(an_event(event_id=EVENT), None)
    await store.catalog.upsert("shop", versioned)
    lock = a_lock("held", event_id=EVENT)
    lock.id = LOCK
    await taken(store, lock)
    link = a_link("docs", "api")
    link.id = LINK
    await store.links.create(link)


async def everything(store: Store) -> list[Any]:
    return [
        [event.to_json() for event in (await store.events.find(EventFilter(), Page())).records],
        (await store.catalog.find(Page())).records,
        (await store.locks.find(LockFilter(), Page())).records,
        await store.links.find(),
    ]
