"""Stores to move, and what a migration says of them."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.stores.observations import Observations
from tests.stores.samples import (
    NOW,
    a_catalog_entry,
    a_delivery,
    a_freeze,
    a_kept_message,
    a_link,
    a_lock,
    a_state,
    a_user,
    a_webhook,
    an_api_key,
    an_end,
    an_entry,
    an_event,
    new_id,
    noting,
    once,
    taken,
    whole_changelog,
)

from tracker.audit.chain import Draft, chained
from tracker.domain.commits import Commit
from tracker.domain.events import EventId
from tracker.domain.locks import (
    Ending,
    HeldLock,
    LockFilter,
    lock_key,
)
from tracker.domain.query.fields import SERVICE
from tracker.domain.query.tree import EventFilter
from tracker.domain.times import timestamp
from tracker.pb import event_pb, retention_pb
from tracker.stores.audit import AuditFilter
from tracker.stores.base import StoreOpenError
from tracker.stores.choice import chosen_contents
from tracker.stores.intakes import Tally
from tracker.stores.migration import MigrationError, migrate
from tracker.stores.mongo import MongoStore
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore
from tracker.stores.terraform import parts_of
from tracker.stores.webhooks import DeliveryFilter, DeliveryState
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.pb import lock_pb
    from tracker.stores.base import Store
    from tracker.stores.contents import Kind, StoreContents
    from tracker.stores.migration import Summary

KINDS = ["sqlite", "mongo"]
WAYS = list(itertools.product(KINDS, KINDS))
ALL = Page()
NAMES = ("payments", "Ünïcode / ?", "a.b$c")


@dataclass
class Places:
    """Gives places for stores: of a kind, and new."""

    folder: Path
    servers: MongoServers
    given: int = 0

    def new(self, kind: str) -> str:
        self.given += 1
        return str(self.folder / f"{self.given}.db") if kind == "sqlite" else self.servers.new_database()


def store_at(place: str) -> Store:
    if place.startswith("mongodb://"):
        return MongoStore(place, Observations())
    return SqliteStore(place, Observations())


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[Store]:
    store = store_at(place)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def contents_at(place: str, argument: str = "--from") -> StoreContents:
    return chosen_contents(place, argument, Observations())


def unheard(step: str, done: int, total: int) -> None:
    assert step
    assert done <= total


async def moved(source: str, target: str) -> Mapping[Kind, Summary]:
    return await migrate(contents_at(source), contents_at(target, "--to"), unheard)


async def why_not(source: str, target: str) -> str:
    with pytest.raises((StoreOpenError, MigrationError)) as refused:
        await moved(source, target)
    return str(refused.value)


async def why_unserved(place: str) -> str:
    store = store_at(place)
    with pytest.raises(StoreOpenError) as refused:
        await store.open()
    await store.close()
    return str(refused.value)


def expired(held: HeldLock) -> lock_pb.Lock:
    lock = type(held.lock).from_json(held.lock.to_json())
    lock.expired_at = timestamp(NOW)
    return lock


def elsewhere(held: HeldLock) -> lock_pb.Lock:
    lock = type(held.lock).from_json(held.lock.to_json())
    lock.service = "moved"
    return lock


def id_of(event: event_pb.Event) -> str:
    assert event.metadata is not None
    return event.metadata.id


async def fill(store: Store, events: int = 12) -> None:
    """Put records of each kind and every state into a store."""
    for number in range(events):
        attributes = event_pb.EventAttributes(
            service=f"s{number % 3}",
            source="ci",
            region="eu",
            type=event_pb.Type.deployment,
            message='é\u0000\U0001f680 "quoted"',
            related_id=new_id(),
        )
        slack = f"slack-{number}" if number % 2 else ""
        event = an_event(f"t{number}", slack_id=slack, created=NOW + number, attributes=attributes)
        event.changelog.extend([an_entry("created"), an_entry("changed")])
        lock = a_lock(f"of-event-{number}", event_id=id_of(event))
        await store.events.create(event, None if number % 5 else lock)
    for number in range(60):
        await store.events.modify(EventId(id_of(event)), noting(f"note {number}"))
    for name in NAMES:
        entry = a_catalog_entry(name)
        await store.catalog.upsert(name, lambda _, entry=entry: entry, once(name, store.now()))  # type: ignore[misc]
    await store.catalog.upsert("gone", lambda _: a_catalog_entry("gone"))
    await store.catalog.delete("gone", once("end", store.now()))
    await store.links.create(a_link("docs", "handbook"))
    await store.links.create(a_link("docs", "api"))
    await store.access.modify("apikey:1", lambda _: an_api_key("ci"))
    await store.access.modify("user:1", lambda _: a_user("ada", "1"))
    await store.freezes.create(a_freeze("é", 7))
    await store.policies.create(retention_pb.RetentionPolicy(id="id-policy", name="é"))
    await store.holds.create(retention_pb.LegalHold(id="id-hold", name="é"))
    await store.intakes.count([Tally("flux", 7, 1, 2, 3, 4), Tally("github", 8, skew=-5, problem="é")])
    await store.intakes.keep(a_kept_message("1"))
    await store.commits.add([Commit("shop/cart", "a" * 40, 7, "cart")])
    await store.webhooks.create(a_webhook())
    await store.webhooks.add([a_delivery("1"), a_delivery("2")])
    await store.webhooks.settle(a_delivery("2")._replace(state=DeliveryState.FAILED, last_error="é"))
    parts = parts_of("s/production", "c", 7, b"\0\xff" * 9)
    await store.terraform.modify("s/production", lambda _: a_state("s/production", "c"), parts)
    draft = Draft(1, "event", "created", "1", '{"after":{"title":"é"}}', b"\0\xff", "log", 7)
    await store.audit.append(lambda last: chained(last, [draft, draft]))
    await taken(store, a_lock("plain"))
    await taken(store, a_lock("with-token", environment='Ünï "x", y', resource="db!"), "secret")
    await taken(store, a_lock("with-lease", ttl=600 * MICROS, lock_delay=9 * MICROS), "secret too")
    late = await taken(store, a_lock("expired", ttl=600 * MICROS, lock_delay=9 * MICROS), "late")
    await store.locks.modify(late.id, expired)
    for ending in (Ending.RELEASED, Ending.EXPIRED, Ending.FORCED):
        for token in ("one", "two"):
            lock = await taken(store, a_lock("ended", ttl=60 * MICROS), f"{token} {ending}")
            await store.locks.release(lock.id, lambda _, e=ending: an_end("over", e, reason="why"))  # type: ignore[misc]
    free = await taken(store, a_lock("free"))
    await store.locks.release(free.id, lambda _: an_end())
    await store.locks.modify((await taken(store, a_lock("before"), "goes along")).id, elsewhere)


async def told(store: Store) -> dict[str, Any]:
    """Return all that a store answers."""
    events = await store.events.find(EventFilter(), ALL)
    locks = await store.locks.find(LockFilter(), ALL)
    slack = [event.metadata.slack_id for event in events.records if event.metadata]
    return {
        "events": [event.to_json() for event in events.records],
        "services": await store.events.count_by(EventFilter(), [SERVICE], 10),
        "months": await store.events.count_by_month(EventFilter(), by_service=True),
        "slack": slack,
        "changelogs": [await whole_changelog(store, EventId(id_of(event))) for event in events.records],
        "catalog": [entry.to_json() for entry in (await store.catalog.find(ALL)).records],
        "freezes": [window.to_json() for window in await store.freezes.find()],
        "policies": [policy.to_json() for policy in await store.policies.find()],
        "holds": [hold.to_json() for hold in await store.holds.find()],
        "links": [link.to_json() for link in await store.links.find()],
        "audit": (await store.audit.read(AuditFilter(), 10)).entries,
        "intakes": await store.intakes.tallies(),
        "intake messages": await store.intakes.get("1"),
        "commits": await store.commits.find(["a" * 40]),
        "webhooks": [(each.record.to_json(), each.secrets) for each in await store.webhooks.find()],
        "messages": await store.webhooks.list(DeliveryFilter("w"), None, 10),
        "states": [state.to_json() for state in (await store.terraform.find(ALL)).records],
        "content": await store.terraform.content("c"),
        "access": [(each.record.to_json(), each.secret_hash) for each in await store.access.find()],
        "locks": [lock.to_json() for lock in locks.records],
        "holders": [(await store.locks.holder(lock_key(lock))) == lock for lock in locks.records],
        "keys": [await store.idempotency.find(key, store.now()) for key in (*NAMES, "end")],
        "leases": sorted(await store.locks.leases(), key=lambda lease: lease.lock_id),
    }


class CutOffError(Exception):
    """Stands for whatever may end a migration."""


async def never(*_: object, **__: object) -> None:
    raise CutOffError


async def taken_noting(store: Store, event_id: str) -> lock_pb.Lock:
    lock = a_lock("noted", event_id=event_id)
    with pytest.raises(CutOffError):
        await store.locks.acquire(HeldLock(lock, b""), an_entry("taken"))
    held = await store.locks.get(lock.id)
    assert held is not None
    return held
