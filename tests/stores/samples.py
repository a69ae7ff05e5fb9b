"""Records to store."""

from __future__ import annotations

import uuid
from copy import deepcopy
from typing import TYPE_CHECKING

import uuid_utils

from tracker.domain.times import MICROS, timestamp
from tracker.pb import catalog_pb, event_pb, link_pb, lock_pb
from tracker.stores.base import EventChange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    attributes: event_pb.EventAttributes | None = None,
) -> event_pb.Event:
    return event_pb.Event(
        title=title,
        attributes=attributes,
        metadata=event_pb.EventMetadata(
            id=event_id or new_id(), slack_id=slack_id, created_at=timestamp(created)
        ),
    )


def a_lock(  # noqa: PLR0913 - each is a field of the lock
    service: str = "payments",
    environment: str = "production",
    resource: str = "deployment",
    *,
    event_id: str = "",
    created: int = NOW,
    who: str = "bob",
) -> lock_pb.Lock:
    return lock_pb.Lock(
        id=new_id(),
        service=service,
        environment=environment,
        resource=resource,
        event_id=event_id,
        who=who,
        created_at=timestamp(created),
    )


def an_entry(comment: str) -> event_pb.ChangelogEntry:
    return event_pb.ChangelogEntry(timestamp=timestamp(NOW), user="bob", comment=comment)


def a_catalog_entry(name: str, version: str = "1.0") -> catalog_pb.Catalog:
    return catalog_pb.Catalog(name=name, version=version, created_at=timestamp(NOW))


def a_link(group: str, name: str) -> link_pb.Link:
    return link_pb.Link(id=new_id(), group=group, name=name, url="https://example.org")


def comments(event: event_pb.Event | None) -> list[str]:
    return [] if event is None else [entry.comment for entry in event.changelog]


def noting(
    comment: str,
) -> Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange]:
    def change(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        changed = deepcopy(event)
        changed.changelog.append(an_entry(comment))
        return EventChange(changed)

    return change
