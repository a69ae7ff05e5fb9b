"""Stories of services: a few events each that belong together, the first of them at a given moment."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.demo.commits import sha_of
from tracker.domain.events import attributes_of, metadata_of
from tracker.domain.lifecycle import new_event, updated_event
from tracker.domain.times import duration, duration_micros, timestamp
from tracker.pb import event_pb
from tracker.time_text import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

_NO_TIME: Final = duration(0)
_PEOPLE: Final = ("ana", "ben", "chloe", "dmitri", "elif", "farid", "greta", "hugo", "ines", "jonas")
_TROUBLES: Final = (
    *("error rate above 5 %", "latency p99 above 2 s", "pods restart in a loop"),
    *("queue grows without end", "requests timed out", "connection pool exhausted"),
)
_WORKS: Final = (
    *("Rotate certificates", "Migrate database", "Resize disks", "Upgrade cluster", "Restart nodes"),
)
_DRIFTS: Final = ("security group", "replica count", "feature flag", "DNS record", "memory limit")


_Type, _Status = event_pb.Type, event_pb.Status
_Environment, _Priority = event_pb.Environment, event_pb.Priority
STAGES: Final = (_Environment.integration, _Environment.preproduction, _Environment.production)


def id_at(at: int, chance: random.Random) -> str:
    """Return a UUIDv7 (RFC 9562, 5.7) of a moment, with the randomness of a seed."""
    bits = chance.getrandbits(74)
    number = (at // 1_000) << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1
    return str(uuid.UUID(int=number))


@dataclass(slots=True)
class Service:
    """A service; `release` is the number of its last version."""

    name: str
    team: str
    weight: float
    release: int = 0


class Stories:
    """Makes the stories of services."""

    def __init__(
        self,
        chance: random.Random,
        services: Sequence[Service],
        callers: Mapping[str, Sequence[str]],
        runs: int = 1_000,
    ) -> None:
        self._chance = chance
        self._callers = callers
        self._by_name = {service.name: service for service in services}
        self._services = services
        self._weights = [service.weight for service in services]
        self._runs = runs

    def story(self, at: int) -> Iterator[event_pb.Event]:
        """Yield what happens to a service from a moment on."""
        (service,) = self._chance.choices(self._services, self._weights)
        kind = self._chance.random()
        if kind < 0.8:
            yield from self._release(service, at)
        elif kind < 0.92:
            operation = self._operation(service, at)
            yield operation
            live = attributes_of(operation).environment is _Environment.production
            if live and self._chance.random() < 0.1:
                yield from self._incident(service, operation, at + self._between(2, 40) * MINUTE)
        elif kind < 0.995:
            yield self._drift(service, at)
        else:
            yield self._trouble(service, None, at)

    def running(self, service: Service, now: int) -> event_pb.Event:
        """Return a deployment to production that has not ended."""
        at = now - self._between(1, 6) * MINUTE
        return self._deployment(service, f"1.{service.release + 1}.0", _Environment.production, at, None)

    def outage(self, service: Service, now: int) -> event_pb.Event:
        """Return an incident that is open."""
        trouble = self._chance.choice(_TROUBLES)
        attributes = event_pb.EventAttributes(
            type=_Type.incident,
            environment=_Environment.production,
            priority=_Priority.P2,
            status=_Status.open,
            source="alertmanager",
            owner=self._chance.choice(_PEOPLE),
            impact=True,
            message=f"{trouble}; on-call was paged",
        )
        return self._past(service, f"{service.name}: {trouble}", attributes, now - MINUTE)

    def plan(self, service: Service, at: int, now: int) -> event_pb.Event:
        """Return an operation that is to begin at a moment, recorded some days ago."""
        work = self._chance.choice(_WORKS)
        attributes = event_pb.EventAttributes(
            type=_Type.operation,
            environment=self._chance.choice(STAGES[1:]),
            priority=_Priority.P4,
            status=_Status.planned if self._chance.random() < 0.8 else _Status.waiting_approval,
            start_date=timestamp(at),
            end_date=timestamp(at + self._between(30, 480) * MINUTE),
            source="runbook",
            owner=self._chance.choice(_PEOPLE),
            message=f"{work} of {service.name}, in the change calendar",
        )
        return self._past(
            service, f"{work} of {service.name}", attributes, now - self._between(1, 24 * 7) * HOUR
        )

    def _release(self, service: Service, at: int) -> Iterator[event_pb.Event]:
        service.release += 1
        version = f"1.{service.release}.{self._chance.randrange(3)}"
        for stage in STAGES:
            failed = self._chance.random() < 0.05
            ending = _Status.failure if failed else _Status.success
            deployment = self._deployment(service, version, stage, at, ending)
            yield deployment
            if failed:
                return
            took = metadata_of(deployment).elapsed
            at += (duration_micros(took) if took is not None else 0) + self._between(5, 90) * MINUTE
            if stage is _Environment.production and self._chance.random() < 0.06:
                yield from self._incident(service, deployment, at)

    def _deployment(  # noqa: PLR0913, PLR0917 - each is a part of the event
        self,
        service: Service,
        version: str,
        stage: event_pb.Environment,
        at: int,
        ending: event_pb.Status | None,
        after: event_pb.Event | None = None,
    ) -> event_pb.Event:
        """Return a deployment, under way if it has no ending; it links to the event that it comes after."""
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
                related_id=metadata_of(after).id if after is not None else "",
                owner=owner,
                labels={
                    "region": self._chance.choice(("eu-west", "us-east")),
                    "sha": sha_of(service.name, version),
                },
                message=f"{service.name} {version} rolled out to {stage.name} by the pipeline",
            ),
            at,
            self._between(1, 20) * MINUTE,
            ending,
            event_pb.EventLinks(
                pull_request_link=f"https://git.example.com/{service.name}/pull/{self._runs}",
                ticket=f"{service.team.upper()}-{self._runs % 9_000}",
            ),
            after,
        )

    def _incident(self, service: Service, cause: event_pb.Event, at: int) -> Iterator[event_pb.Event]:
        """Yield what a change caused: at once or hours later, there or up to two dependencies away."""
        kind = self._chance.random()
        hurt = service
        for _ in range(2 if kind < 0.1 else 1 if kind < 0.3 else 0):
            hurt = self._by_name[self._chance.choice(self._callers.get(hurt.name) or [hurt.name])]
        if kind > 0.85:
            at += self._between(2, 9) * HOUR
        incident = self._trouble(hurt, cause, at)
        yield incident
        if self._chance.random() < 0.5 and attributes_of(cause).version:
            version, took = (
                f"1.{service.release - 1}.0",
                duration_micros(metadata_of(incident).elapsed or _NO_TIME),
            )
            begins = at + took // 2
            yield self._deployment(
                service, version, _Environment.production, begins, _Status.success, incident
            )

    def _trouble(self, service: Service, cause: event_pb.Event | None, at: int) -> event_pb.Event:
        """Return an incident that is over; of two in three, people recorded the cause if there was one."""
        trouble = self._chance.choice(_TROUBLES)
        near = cause is not None and attributes_of(cause).service == service.name
        since = f" since {cause.title.removeprefix('Deploy ')}" if cause is not None and near else ""
        incident = self._past(
            service,
            f"{service.name}: {trouble}",
            event_pb.EventAttributes(
                type=_Type.incident,
                environment=_Environment.production,
                priority=self._chance.choice((_Priority.P1, _Priority.P2, _Priority.P2, _Priority.P3)),
                source="alertmanager",
                owner=self._chance.choice(_PEOPLE),
                impact=True,
                message=f"{trouble}{since}; on-call was paged",
            ),
            at,
            self._between(10, 180) * MINUTE,
            _Status.close,
        )
        if cause is not None and incident.metadata is not None and self._chance.random() < 0.67:
            incident.metadata.caused_by = [metadata_of(cause).id]
        return incident

    def _operation(self, service: Service, at: int) -> event_pb.Event:
        work = self._chance.choice(_WORKS)
        night = at - at % DAY + self._between(1, 5) * HOUR
        return self._past(
            service,
            f"{work} of {service.name}",
            event_pb.EventAttributes(
                type=_Type.operation,
                environment=self._chance.choice(STAGES),
                priority=_Priority.P4,
                source="runbook",
                owner=self._chance.choice(_PEOPLE),
                message=f"{work} as planned in the change calendar",
            ),
            min(night, at),
            self._between(5, 120) * MINUTE,
            _Status.done,
        )

    def _drift(self, service: Service, at: int) -> event_pb.Event:
        what = self._chance.choice(_DRIFTS)
        return self._past(
            service,
            f"Drift of {service.name}: {what}",
            event_pb.EventAttributes(
                type=_Type.drift,
                environment=self._chance.choice(STAGES),
                priority=_Priority.P5,
                status=_Status.warning,
                source="terraform",
                message=f"the {what} is not as it is described",
            ),
            at,
        )

    def _past(  # noqa: PLR0913, PLR0917 - each is a part of the event
        self,
        service: Service,
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
        event = new_event(request, event_id=id_at(at, self._chance), now=at, linked=linked)
        if ending is None:
            return event
        change = event_pb.UpdateEventRequest(attributes=event_pb.EventAttributes(status=ending), merge=True)
        return updated_event(event, change, at + took, linked)

    def _between(self, low: int, high: int) -> int:
        """Return a number between two, the smaller ones more often."""
        return low + int((high - low) * self._chance.random() ** 2)
