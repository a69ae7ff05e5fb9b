"""Changes of several documents, to be interrupted anywhere.

As a program: makes the change named, and counts it, on the database given, once for each line of standard
input, in a process that ends without a warning before it sends its n-th command, n being what the line says;
then prints whether the change came to its end. A change of `keyed_changes` is made with a key.
"""

from __future__ import annotations

import asyncio
import os
import sys
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pymongo import monitoring
from tests.stores import keyed_changes
from tests.stores.observations import Observations
from tests.stores.samples import a_lock, an_end, an_entry, an_event, comments, id_number, once

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.locks import HeldLock, LockFilter
from tracker.stores.mongo import MongoStore
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tracker.domain.locks import Release
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.base import Store

EVENT, FIRST, SECOND = EventId(id_number(1)), id_number(2), id_number(3)
KEY = "a-key"
HEARTBEATS = frozenset({"hello", "ismaster", "ping"})


@dataclass(frozen=True)
class State:
    """The event's title, if it is there, its changelog, and the locks that are held, by key and id."""

    title: str | None = None
    changelog: tuple[str, ...] = ()
    locks: frozenset[tuple[str, str]] = frozenset()


def state(title: str | None, *changelog: str, **locks: str) -> State:
    return State(title, changelog, frozenset(locks.items()))


async def state_of(store: Store) -> State:
    event = await store.events.get(EVENT)
    held = await store.locks.find(LockFilter(), Page())
    return State(
        event.title if event is not None else None,
        tuple(comments(event)),
        frozenset((lock.service, lock.id) for lock in held.records),
    )


@dataclass(frozen=True)
class Change:
    """A change, and the states before and after it; nobody may ever find another."""

    before: State
    after: State
    make: Callable[[Store], Awaitable[object]]

    async def prepare(self, store: Store) -> None:
        """Bring an empty store into the state before the change."""
        locks = {lock_id: _lock(key, lock_id) for key, lock_id in self.before.locks}
        if self.before.title is not None:
            await store.events.create(an_event(self.before.title, event_id=EVENT.value), locks.get(FIRST))
        assert await state_of(store) == self.before


def _lock(key: str, lock_id: str) -> lock_pb.Lock:
    lock = a_lock(key, event_id=EVENT.value)
    lock.id = lock_id
    return lock


def _update(
    *, release: Sequence[str] = (), acquire: lock_pb.Lock | None = None
) -> Callable[[Store], Awaitable[object]]:
    def change(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        event = deepcopy(event)
        event.title = "after"
        return EventChange(event, release={lock_id: an_end() for lock_id in release}, acquire=acquire)

    return lambda store: store.events.modify(EVENT, change)


def _moved(held: HeldLock) -> lock_pb.Lock:
    lock = deepcopy(held.lock)
    lock.service = "b"
    return lock


def _unlocked(_: HeldLock) -> Release:
    return an_end("unlocked")


CHANGES = {
    "create": Change(
        State(),
        state("after", a=FIRST),
        lambda store: store.events.create(an_event("after", event_id=EVENT.value), _lock("a", FIRST)),
    ),
    "add": Change(
        State(), state("after"), lambda store: store.events.add([an_event("after", event_id=EVENT.value)])
    ),
    "begin": Change(state("before"), state("after", a=FIRST), _update(acquire=_lock("a", FIRST))),
    "finish": Change(state("before", a=FIRST), state("after"), _update(release=[FIRST])),
    "trade": Change(
        state("before", a=FIRST),
        state("after", b=SECOND),
        _update(release=[FIRST], acquire=_lock("b", SECOND)),
    ),
    "succeed": Change(
        state("before", a=FIRST),
        state("after", a=SECOND),
        _update(release=[FIRST], acquire=_lock("a", SECOND)),
    ),
    "delete": Change(state("before", a=FIRST), State(), lambda store: store.events.delete(EVENT, an_end())),
    "acquire": Change(
        state("before"),
        state("before", "locked", a=FIRST),
        lambda store: store.locks.acquire(HeldLock(_lock("a", FIRST), b"hash"), an_entry("locked")),
    ),
    "release": Change(
        state("before", a=FIRST),
        state("before", "unlocked"),
        lambda store: store.locks.release(FIRST, _unlocked),
    ),
    "move": Change(
        state("before", a=FIRST), state("before", b=FIRST), lambda store: store.locks.modify(FIRST, _moved)
    ),
}


class _Death(monitoring.CommandListener):
    """Ends the process before the n-th command from now on."""

    def __init__(self) -> None:
        self.commands_left = -1

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name not in HEARTBEATS:
            self.commands_left -= 1
            if self.commands_left == 0:
                os._exit(9)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def _made_by(name: str) -> Callable[[Store], Awaitable[object]]:
    if name in CHANGES:
        return CHANGES[name].make
    return lambda store: keyed_changes.CHANGES[name](store, once(KEY, store.now()))


async def _change(uri: str, name: str, dies_before: int) -> None:
    death = _Death()
    monitoring.register(death)
    store = MongoStore(uri, Observations())
    await store.open()
    death.commands_left = dies_before
    await _made_by(name)(store)
    if name in CHANGES:
        await store.event_counts.keep_up()
    await store.close()


def _main() -> None:
    uri, name = sys.argv[1:]
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(_change(uri, name, int(line)))
            os._exit(0)
        print(int(os.waitpid(child, 0)[1] == 0), flush=True)  # noqa: T201 - what the program is for


if __name__ == "__main__":
    _main()
