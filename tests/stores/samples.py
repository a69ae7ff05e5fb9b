"""Records to store."""

from __future__ import annotations

import uuid
from copy import copy, deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import uuid_utils

from tracker.domain.event_locks import EventChange
from tracker.domain.locks import Ending, HeldLock, Release, begin_lease, hash_token
from tracker.domain.times import duration, timestamp
from tracker.pb import (
    access_pb,
    auth_pb,
    catalog_pb,
    event_pb,
    freeze_pb,
    link_pb,
    lock_pb,
    terraform_pb,
    webhook_pb,
)
from tracker.stores.access import StoredAccess
from tracker.stores.idempotency import KeyUse, Once
from tracker.stores.intakes import KeptMessage
from tracker.stores.pages import Page
from tracker.stores.webhooks import Delivery, SigningSecret, StoredWebhook
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.domain.events import EventKey
    from tracker.stores.base import Store

NOW = 1_750_000_000 * MICROS


def new_id() -> str:
    return str(uuid_utils.uuid7())


def id_number(number: int) -> str:
    return str(uuid.UUID(int=number))


def an_event(
    title: str = "an event",
    *,
    event_id: str = "",
    slack_id: str = "",
    created: int = NOW,
    took: int | None = None,
    attributes: event_pb.EventAttributes | None = None,
) -> event_pb.Event:
    return event_pb.Event(
        title=title,
        attributes=attributes,
        metadata=event_pb.EventMetadata(
            id=event_id or new_id(),
            slack_id=slack_id,
            created_at=timestamp(created),
            duration=None if took is None else duration(took),
            elapsed=None if took is None else duration(took),
        ),
    )


def stored_before(event: event_pb.Event) -> event_pb.Event:
    """Return an event as versions stored it that did not know how long events took by themselves."""
    event = deepcopy(event)
    if event.metadata is not None:
        event.metadata.elapsed = None
    return event


def a_lock(
    service: str = "payments",
    environment: str = "production",
    resource: str = "deployment",
    *,
    event_id: str = "",
    created: int = NOW,
    who: str = "bob",
    ttl: int = 0,
    lock_delay: int = 0,
) -> lock_pb.Lock:
    lock = lock_pb.Lock(
        id=new_id(),
        service=service,
        environment=environment,
        resource=resource,
        event_id=event_id,
        who=who,
        created_at=timestamp(created),
        lock_delay=duration(lock_delay) if lock_delay else None,
    )
    return begin_lease(lock, created, duration(ttl)) if ttl else lock


async def taken(store: Store, lock: lock_pb.Lock, token: str = "") -> lock_pb.Lock:
    """Take a lock and return it as it is stored: with its fencing token."""
    acquired = await store.locks.acquire(HeldLock(lock, hash_token(token)), None)
    assert not acquired.replayed
    return acquired.lock


def without_fence(lock: lock_pb.Lock | None) -> lock_pb.Lock | None:
    """Return a stored lock as it was before the store gave it a fencing token."""
    lock = copy(lock)
    if lock is not None:
        lock.fencing_token = 0
    return lock


def an_end(
    comment: str = "", ending: Ending = Ending.RELEASED, *, at: int = NOW, reason: str = ""
) -> Release:
    return Release(ending, at, reason, an_entry(comment) if comment else None)


def an_entry(comment: str) -> event_pb.ChangelogEntry:
    return event_pb.ChangelogEntry(timestamp=timestamp(NOW), user="bob", comment=comment)


def a_catalog_entry(name: str, version: str = "1.0") -> catalog_pb.Catalog:
    return catalog_pb.Catalog(name=name, version=version, created_at=timestamp(NOW))


def a_link(group: str, name: str) -> link_pb.Link:
    return link_pb.Link(id=new_id(), group=group, name=name, url="https://example.org")


def a_user(username: str, user_id: str) -> StoredAccess:
    user = auth_pb.User(id=user_id, username=username)
    return StoredAccess(access_pb.Access(id=f"user:{user_id}", user=user), b"")


def a_team(name: str, team_id: str) -> StoredAccess:
    return StoredAccess(access_pb.Access(id=f"team:{team_id}", team=auth_pb.Team(id=team_id, name=name)), b"")


def once(key: str, at: int, request: bytes = b"a request") -> Once[Any]:
    return Once(KeyUse(key, request, at), lambda made: f"answer of {made}".encode())


def comments(event: event_pb.Event | None) -> list[str]:
    return [] if event is None else [entry.comment for entry in event.changelog]


async def whole_changelog(store: Store, key: EventKey) -> list[event_pb.ChangelogEntry]:
    """Return all entries of an event's changelog, as they are read page by page."""
    entries: list[event_pb.ChangelogEntry] = []
    page = Page(limit=7, bytes=300_000)
    while True:
        found = await store.events.changelog(key, page)
        assert found is not None
        entries += found.records
        if found.next is None:
            break
        page = replace(page, after=found.next)
    assert found.total == len(entries)
    return entries


def noting(
    comment: str,
) -> Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange]:
    def change(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        changed = deepcopy(event)
        changed.changelog.append(an_entry(comment))
        return EventChange(changed)

    return change


def a_freeze(title: str, start: int = 0) -> freeze_pb.FreezeWindow:
    return freeze_pb.FreezeWindow(id=f"id-{title}", title=title, starts_at=timestamp(start))


def a_webhook(name: str = "pager") -> StoredWebhook:
    record = webhook_pb.Webhook(id="w", name=name, url="https://example.com/é")
    return StoredWebhook(record, (SigningSecret(b"\0\xff", 7), SigningSecret(b"key")))


def a_delivery(delivery_id: str) -> Delivery:
    return Delivery(delivery_id, "w", 7, "event.created", "e", "application/json", b"{}\xff", next_at=8)


def a_state(state_id: str, *contents: str) -> terraform_pb.State:
    versions = [
        terraform_pb.StateVersion(number=len(contents) - number, content_id=content)
        for number, content in enumerate(contents)
    ]
    return terraform_pb.State(id=state_id, service=state_id.partition("/")[0], versions=versions)


def a_kept_message(message_id: str, received_at: int = 7, body: str = '{"é":1}') -> KeptMessage:
    path, headers = "/api/v1alpha1/integrations/flux/webhook", '{"user-agent":"é"}'
    size = len(body.encode())
    return KeptMessage(
        message_id, "flux", received_at, 2, "unsupported kind", path, "[]", headers, body, size
    )


def an_api_key(name: str, key_id: str = "apikey:1", secret_hash: bytes = b"\0\xff") -> StoredAccess:
    key = auth_pb.ApiKey(id=key_id, name=name)
    return StoredAccess(access_pb.Access(id=key_id, api_key=key), secret_hash)
