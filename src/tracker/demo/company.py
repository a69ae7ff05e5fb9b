"""Sample data: the events of forty services of a company, the same for the same seed.

Services go from integration over preproduction to production, mostly in working hours. Now and then a
deployment fails, or an incident follows a change, there or where that is called, and then a rollback; some
incidents have no cause that was recorded. There are also operations at night and
drifts at any time. Some work is under way at the end of that past, and some is planned.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tracker.demo.stories import Service, Stories
from tracker.domain.event_locks import event_lock
from tracker.domain.events import RUNNING, attributes_of, event_time, metadata_of
from tracker.domain.locks import lock_key
from tracker.domain.times import duration_micros
from tracker.pb import catalog_pb, event_pb
from tracker.time_text import DAY, HOUR, MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.domain.locks import LockKey
    from tracker.pb import lock_pb

_A_DAY: Final = 300
"""Events of a day if no number of days is given."""
_FEWEST_DAYS, _MOST_DAYS = 14, 365
_PRESENT: Final = 23
"""Events that are under way or planned."""
_ONE_PRESENT_IN: Final = 100
_RUNNING: Final = 6

_NAMES: Final = (
    *("payments", "checkout", "cart", "catalog", "search", "pricing", "promotions", "inventory", "orders"),
    *("shipping", "returns", "invoices", "accounts", "login", "sessions", "profiles", "notifications"),
    *("mailer", "sms", "webhooks", "gateway", "edge-proxy", "image-resizer", "recommendations"),
    *("reviews", "ranking", "analytics", "reporting", "exports", "imports", "scheduler", "workflow"),
    *("fraud", "ledger", "tax", "currency", "loyalty", "vouchers", "warehouse", "fleet"),
)
_TEAMS: Final = ("core", "shop", "growth", "logistics", "identity", "data", "platform")
_LANGUAGES: Final = (
    *(catalog_pb.Languages.golang, catalog_pb.Languages.python, catalog_pb.Languages.java),
    catalog_pb.Languages.typescript,
)
_PLATFORMS: Final = (
    *(catalog_pb.Platform.kubernetes, catalog_pb.Platform.kubernetes, catalog_pb.Platform.lambda_),
    catalog_pb.Platform.ec2,
)
_CALLED_TOO: Final = {
    "login": ("accounts",),
    "workflow": ("scheduler", "workflow"),
    "ledger": ("card-network",),
    "fleet": ("orders",),
}
"""Dependencies that make a circle, lead to the service itself or out of the catalog, as some do."""

_Type, _Status = event_pb.Type, event_pb.Status
_Environment, _Priority = event_pb.Environment, event_pb.Priority


def days_for(events: int) -> int:
    """Return over how many days a number of events is plausible."""
    return min(_MOST_DAYS, max(_FEWEST_DAYS, events // _A_DAY))


class Company:
    """The services of a seed; each has the last release of the events that were made until now."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self._seed = seed
        self._services = [
            Service(name, chance.choice(_TEAMS), weight=1 / (place + 3), release=chance.randrange(5, 60))
            for place, name in enumerate(_NAMES)
        ]

    def catalog(self) -> Iterator[catalog_pb.Catalog]:
        """Yield the catalog entries of the services."""
        chance = random.Random(self._seed + 2)
        for place, service in enumerate(self._services):
            later = _NAMES[place + 1 :]
            called = chance.sample(later, min(len(later), chance.randrange(1, 4)))
            yield catalog_pb.Catalog(
                name=service.name,
                type=catalog_pb.Type.project,
                languages=chance.choice(_LANGUAGES),
                owner=service.team,
                version=f"1.{service.release}.0",
                description=f"The service {service.name} of the team {service.team}",
                link=f"https://docs.example.com/{service.name}",
                repository=f"https://git.example.com/{service.name}",
                platform=chance.choice(_PLATFORMS),
                dependencies_out=sorted([*called, *_CALLED_TOO.get(service.name, ())]),
                communication_channels=[
                    catalog_pb.CommunicationChannel(
                        type=catalog_pb.CommunicationType.slack, name=f"#{service.team}"
                    )
                ],
            )

    def story(self, number: int, *, until: int, days: int) -> Iterator[event_pb.Event]:
        """Yield the `events` until a moment, then those of its `present`, in all a number of them."""
        present = min(_PRESENT, number // _ONE_PRESENT_IN)
        yield from self.events(number - present, until=until, days=days)
        yield from self.present(until)[:present]

    def events(self, number: int, *, until: int, days: int) -> Iterator[event_pb.Event]:
        """Yield events that ended by `until` (microseconds since the epoch), nearly in the order of time."""
        chance = random.Random(self._seed)
        stories = Stories(chance, self._services, self._callers())
        first = until - days * DAY
        hours = range(first, until, HOUR)
        busyness = [_busyness(hour) for hour in hours]
        total, passed, given = sum(busyness), 0.0, 0
        for hour, busy in zip(hours, busyness, strict=True):
            passed += busy
            due = number if hour + HOUR >= until else round(number * passed / total)
            while given < due:
                for event in stories.story(hour + chance.randrange(HOUR)):
                    lasted = metadata_of(event).duration
                    if event_time(event) + (duration_micros(lasted) if lasted else 0) > until:
                        break  # what follows it is still to come
                    yield event
                    given += 1
                    if given == number:
                        return

    def present(self, until: int) -> Sequence[event_pb.Event]:
        """Return what is under way at a moment, and what is planned for the two weeks after it."""
        chance = random.Random(self._seed + 1)
        stories = Stories(chance, self._services, {}, runs=0)
        chosen = chance.sample(self._services, _PRESENT - 1)
        running = chosen[:_RUNNING]
        plans = zip(chosen[_RUNNING:], _ahead(until), strict=False)
        return [
            *(stories.running(service, until) for service in running),
            stories.outage(running[0], until),
            *(stories.plan(service, at, until) for service, at in plans),
        ]

    def _callers(self) -> Mapping[str, Sequence[str]]:
        """Return the services of the catalog that call each service."""
        callers: defaultdict[str, list[str]] = defaultdict(list)
        for entry in self.catalog():
            for called in entry.dependencies_out:
                if called != entry.name:
                    callers[called].append(entry.name)
        return callers


def locks(current: Sequence[event_pb.Event]) -> Iterator[tuple[LockKey, lock_pb.Lock]]:
    """Yield the locks that work under way holds, with their keys."""
    for event in current:
        lock_id = str(uuid.uuid5(uuid.UUID(metadata_of(event).id), "lock"))
        lock = event_lock(event, lock_id=lock_id, now=event_time(event))
        if lock is not None and attributes_of(event).status in RUNNING:
            lock.fencing_token = event_time(event) // 1_000
            lock.reason = event.title
            yield lock_key(lock), lock


def _ahead(until: int) -> Iterator[int]:
    """Yield moments of coming days and nights, the first of them within a few hours."""
    midnight = until - until % DAY
    yield from (until + 2 * HOUR, until + 5 * HOUR)
    for day in itertools.count(1):
        yield midnight + day * DAY + (22, 1, 9, 14)[day % 4] * HOUR


def _busyness(hour: int) -> float:
    """Return the weight of an hour: highest on weekdays, in the morning and after lunch."""
    moment = datetime.fromtimestamp(hour / MICROS, UTC)
    by_hour = (0.1, 1.0, 0.8)[(8 <= moment.hour < 18) + (12 <= moment.hour < 14)]
    return by_hour * (0.15 if moment.weekday() > 4 else 1.0)
