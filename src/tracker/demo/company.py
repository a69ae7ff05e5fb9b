"""Sample data: the events of forty services of a company, the same for the same seed.

Services go from integration over preproduction to production, mostly in working hours. Now and then a
deployment fails, or an incident follows it, and then a rollback. There are also operations at night and
drifts at any time. Some work is under way at the end of that past, and some is planned.
"""

from __future__ import annotations

import itertools
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tracker.domain.event_locks import event_lock
from tracker.domain.events import RUNNING, attributes_of, event_time, metadata_of
from tracker.domain.lifecycle import new_event, updated_event
from tracker.domain.locks import lock_key
from tracker.domain.times import duration_micros, timestamp
from tracker.pb import catalog_pb, event_pb
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.domain.locks import LockKey
    from tracker.pb import lock_pb

_HOUR: Final = 3_600 * MICROS
_MINUTE: Final = 60 * MICROS
_A_DAY: Final = 300
"""Events of a day if no number of days is given."""
_FEWEST_DAYS, _MOST_DAYS = 14, 365

_NAMES: Final = (
    *("payments", "checkout", "cart", "catalog", "search", "pricing", "promotions", "inventory", "orders"),
    *("shipping", "returns", "invoices", "accounts", "login", "sessions", "profiles", "notifications"),
    *("mailer", "sms", "webhooks", "gateway", "edge-proxy", "image-resizer", "recommendations"),
    *("reviews", "ranking", "analytics", "reporting", "exports", "imports", "scheduler", "workflow"),
    *("fraud", "ledger", "tax", "currency", "loyalty", "vouchers", "warehouse", "fleet"),
)
_TEAMS: Final = ("core", "shop", "growth", "logistics", "identity", "data", "platform")
_PEOPLE: Final = ("ana", "ben", "chloe", "dmitri", "elif", "farid", "greta", "hugo", "ines", "jonas")
_TROUBLES: Final = (
    *("error rate above 5 %", "latency p99 above 2 s", "pods restart in a loop"),
    *("queue grows without end", "requests timed out", "connection pool exhausted"),
)
_WORKS: Final = (
    *("Rotate certificates", "Migrate database", "Resize disks", "Upgrade cluster", "Restart nodes"),
)
_DRIFTS: Final = ("security group", "replica count", "feature flag", "DNS record", "memory limit")

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
_STAGES: Final = (_Environment.integration, _Environment.preproduction, _Environment.production)


def days_for(events: int) -> int:
    """Return over how many days a number of events is plausible."""
    return min(_MOST_DAYS, max(_FEWEST_DAYS, events // _A_DAY))


def catalog(seed: int) -> Iterator[catalog_pb.Catalog]:
    """Yield the catalog entries of the services."""
    chance = random.Random(seed + 2)  # noqa: S311 - not a secret
    services = _services(random.Random(seed))  # noqa: S311 - as above
    for place, service in enumerate(services):
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


def events(number: int, *, seed: int, until: int, days: int) -> Iterator[event_pb.Event]:
    """Yield events up to about `until` (microseconds since the epoch), nearly in the order of their times."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    company = _Company(chance, _services(random.Random(seed)))  # noqa: S311 - as above
    first = until - days * 24 * _HOUR
    hours = range(first, until, _HOUR)
    busyness = [_busyness(hour) for hour in hours]
    total, passed, given = sum(busyness), 0.0, 0
    for hour, busy in zip(hours, busyness, strict=True):
        passed += busy
        due = number if hour + _HOUR >= until else round(number * passed / total)
        while given < due:
            for event in company.story(hour + chance.randrange(_HOUR)):
                yield event
                given += 1
                if given == number:
                    return


def present(*, seed: int, until: int) -> Sequence[event_pb.Event]:
    """Return what is under way at a moment, and what is planned for the two weeks after it."""
    chance = random.Random(seed + 1)  # noqa: S311 - not a secret
    services = _services(random.Random(seed))  # noqa: S311 - as above
    company = _Company(chance, services, runs=0)
    chosen = chance.sample(services, 22)
    running = [company.running(service, until) for service in chosen[:6]]
    return [
        *running,
        company.outage(chosen[0], running[0], until),
        *(company.plan(service, at, until) for service, at in zip(chosen[6:], _ahead(until), strict=False)),
    ]


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
    midnight = until - until % (24 * _HOUR)
    yield from (until + 2 * _HOUR, until + 5 * _HOUR)
    for day in itertools.count(1):
        yield midnight + 24 * day * _HOUR + (22, 1, 9, 14)[day % 4] * _HOUR


def _busyness(hour: int) -> float:
    """Return the weight of an hour: highest on weekdays, in the morning and after lunch."""
    moment = datetime.fromtimestamp(hour / MICROS, UTC)
    by_hour = (0.1, 1.0, 0.8)[(8 <= moment.hour < 18) + (12 <= moment.hour < 14)]  # noqa: PLR2004 - o'clock
    return by_hour * (0.15 if moment.weekday() > 4 else 1.0)  # noqa: PLR2004 - Saturday and Sunday


@dataclass(slots=True)
class _Service:
    name: str
    team: str
    weight: float
    release: int = 0


def _services(chance: random.Random) -> Sequence[_Service]:
    return [
        _Service(name, chance.choice(_TEAMS), weight=1 / (place + 3), release=chance.randrange(5, 60))
        for place, name in enumerate(_NAMES)
    ]


class _Company:
    """Makes stories: a few events each that belong together, the first of them at a given moment."""

    def __init__(self, chance: random.Random, services: Sequence[_Service], runs: int = 1_000) -> None:
        self._chance = chance
        self._services = services
        self._weights = [service.weight for service in services]
        self._runs = runs

    def story(self, at: int) -> Iterator[event_pb.Event]:
        (service,) = self._chance.choices(self._services, self._weights)
        kind = self._chance.random()
        if kind < 0.8:  # noqa: PLR2004 - a share
            yield from self._release(service, at)
        elif kind < 0.92:  # noqa: PLR2004 - a share
            yield self._operation(service, at)
        else:
            yield self._drift(service, at)

    def running(self, service: _Service, now: int) -> event_pb.Event:
        """Return a deployment to production that has not ended."""
        at = now - self._between(1, 6) * _MINUTE
        return self._deployment(service, f"1.{service.release + 1}.0", _Environment.production, at, None)

    def outage(self, service: _Service, cause: event_pb.Event, now: int) -> event_pb.Event:
        """Return an incident that is open."""
        trouble = self._chance.choice(_TROUBLES)
        attributes = event_pb.EventAttributes(
            type=_Type.incident,
            environment=_Environment.production,
            priority=_Priority.P2,
            status=_Status.open,
            source="alertmanager",
            related_id=metadata_of(cause).id,
            owner=self._chance.choice(_PEOPLE),
            impact=True,
            message=f"{trouble}; on-call was paged",
        )
        return self._past(service, f"{service.name}: {trouble}", attributes, now - _MINUTE, linked=cause)

    def plan(self, service: _Service, at: int, now: int) -> event_pb.Event:
        """Return an operation that is to begin at a moment, recorded some days ago."""
        work = self._chance.choice(_WORKS)
        attributes = event_pb.EventAttributes(
            type=_Type.operation,
            environment=self._chance.choice(_STAGES[1:]),
            priority=_Priority.P4,
            status=_Status.planned if self._chance.random() < 0.8 else _Status.waiting_approval,  # noqa: PLR2004
            start_date=timestamp(at),
            end_date=timestamp(at + self._between(30, 480) * _MINUTE),
            source="runbook",
            owner=self._chance.choice(_PEOPLE),
            message=f"{work} of {service.name}, in the change calendar",
        )
        return self._past(
            service, f"{work} of {service.name}", attributes, now - self._between(1, 24 * 7) * _HOUR
        )

    def _release(self, service: _Service, at: int) -> Iterator[event_pb.Event]:
        service.release += 1
        version = f"1.{service.release}.{self._chance.randrange(3)}"
        for stage in _STAGES:
            failed = self._chance.random() < 0.05  # noqa: PLR2004 - a share
            ending = _Status.failure if failed else _Status.success
            deployment = self._deployment(service, version, stage, at, ending)
            yield deployment
            if failed:
                return
            took = metadata_of(deployment).elapsed
            at += (duration_micros(took) if took is not None else 0) + self._between(5, 90) * _MINUTE
            if stage is _Environment.production and self._chance.random() < 0.06:  # noqa: PLR2004 - a share
                yield from self._incident(service, deployment, at)

    def _deployment(
        self,
        service: _Service,
        version: str,
        stage: event_pb.Environment,
        at: int,
        ending: event_pb.Status | None,
    ) -> event_pb.Event:
        """Return a deployment, under way if it has no ending."""
        self._runs += 1
        owner = self._chance.choice(_PEOPLE)
        return self._past(
            service,
            f"Deploy {service.name} {version}",
            event_pb.EventAttributes(
                type=_Type.deployment,
                environment=stage,
                priority=_Priority.P3,
                source="github_action",
                external_id=f"run {self._runs}",
                version=version,
                status=_Status.start,
                owner=owner,
                labels={"region": self._chance.choice(("eu-west", "us-east"))},
                message=f"{service.name} {version} rolled out to {stage.name} by the pipeline",
            ),
            at,
            self._between(1, 20) * _MINUTE,
            ending,
            event_pb.EventLinks(
                pull_request_link=f"https://git.example.com/{service.name}/pull/{self._runs}",
                ticket=f"{service.team.upper()}-{self._runs % 9_000}",
            ),
        )

    def _incident(self, service: _Service, cause: event_pb.Event, at: int) -> Iterator[event_pb.Event]:
        trouble = self._chance.choice(_TROUBLES)
        took = self._between(10, 180) * _MINUTE
        yield self._past(
            service,
            f"{service.name}: {trouble}",
            event_pb.EventAttributes(
                type=_Type.incident,
                environment=_Environment.production,
                priority=self._chance.choice((_Priority.P1, _Priority.P2, _Priority.P2, _Priority.P3)),
                source="alertmanager",
                related_id=metadata_of(cause).id,
                owner=self._chance.choice(_PEOPLE),
                impact=True,
                message=f"{trouble} since {cause.title.removeprefix('Deploy ')}; on-call was paged",
            ),
            at,
            took,
            _Status.close,
            linked=cause,
        )
        if self._chance.random() < 0.5:  # noqa: PLR2004 - a share
            version = f"1.{service.release - 1}.0"
            yield self._deployment(service, version, _Environment.production, at + took // 2, _Status.success)

    def _operation(self, service: _Service, at: int) -> event_pb.Event:
        work = self._chance.choice(_WORKS)
        night = at - at % (24 * _HOUR) + self._between(1, 5) * _HOUR
        return self._past(
            service,
            f"{work} of {service.name}",
            event_pb.EventAttributes(
                type=_Type.operation,
                environment=self._chance.choice(_STAGES),
                priority=_Priority.P4,
                source="runbook",
                owner=self._chance.choice(_PEOPLE),
                message=f"{work} as planned in the change calendar",
            ),
            min(night, at),
            self._between(5, 120) * _MINUTE,
            _Status.done,
        )

    def _drift(self, service: _Service, at: int) -> event_pb.Event:
        what = self._chance.choice(_DRIFTS)
        return self._past(
            service,
            f"Drift of {service.name}: {what}",
            event_pb.EventAttributes(
                type=_Type.drift,
                environment=self._chance.choice(_STAGES),
                priority=_Priority.P5,
                status=_Status.warning,
                source="terraform",
                message=f"the {what} is not as it is described",
            ),
            at,
        )

    def _past(  # noqa: PLR0913, PLR0917 - each is a part of the event
        self,
        service: _Service,
        title: str,
        attributes: event_pb.EventAttributes,
        at: int,
        took: int = 0,
        ending: event_pb.Status | None = None,
        links: event_pb.EventLinks | None = None,
        linked: event_pb.Event | None = None,
    ) -> event_pb.Event:
        """Return an event that was recorded at a moment and ended some time later."""
        attributes.service = service.name
        attributes.labels = {"team": service.team, **attributes.labels}
        if ending is not None:
            attributes.status = _Status.start
        request = event_pb.CreateEventRequest(title=title, attributes=attributes, links=links)
        event = new_event(request, event_id=self._id(at), now=at, linked=linked)
        if ending is None:
            return event
        change = event_pb.UpdateEventRequest(attributes=event_pb.EventAttributes(status=ending), merge=True)
        return updated_event(event, change, at + took, linked)

    def _id(self, at: int) -> str:
        """Return a UUIDv7 (RFC 9562, 5.7) of a moment, with the randomness of the seed."""
        random_bits = self._chance.getrandbits(74)
        number = (
            (at // 1_000) << 80 | 7 << 76 | (random_bits >> 62) << 64 | 2 << 62 | random_bits & (1 << 62) - 1
        )
        return str(uuid.UUID(int=number))

    def _between(self, low: int, high: int) -> int:
        """Return a number between two, the smaller ones more often."""
        return low + int((high - low) * self._chance.random() ** 2)
