"""Histories of a company with incidents whose causes are known: what explanations of incidents are judged by.

Services deploy from integration to production; operations, configurations and drifts come between.
Of the changes of production, some cause an incident: the larger, the failed and the rare ones more
often, and those of services that are more fragile than others, which nothing says. How long that
takes, and where it shows, differs by kind. None of these laws is that of `tracker.domain.causes`,
whose rates fall with a power of time.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.demo.fleet import company
from tracker.demo.stories import STAGES, id_at
from tracker.domain.times import duration, timestamp
from tracker.pb import event_pb
from tracker.time_text import DAY, HOUR, MICROS, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.demo.fleet import Company


KINDS: Final[Mapping[str, float]] = {
    "direct": 0.28,
    "one dependency away": 0.18,
    "two dependencies away": 0.10,
    "slow burn": 0.12,
    "configuration": 0.11,
    "coincident noise": 0.10,
    "no recorded cause": 0.11,
}
"""How an incident comes about, and the share of incidents that do so."""

_Type, _Status, _Environment = event_pb.Type, event_pb.Status, event_pb.Environment
_TROUBLES: Final = ("error rate is high", "latency is high", "requests time out", "pods restart", "is down")
_SLOW_TROUBLES: Final = ("memory runs out", "the disk is nearly full", "the connection pool is exhausted")


class Incident(NamedTuple):
    """An incident, the id of the change that caused it ("" for none that was recorded), and its kind."""

    event: event_pb.Event
    cause: str
    kind: str


@dataclass(slots=True)
class History:
    """What happened in a company; `changes` are in the order of time."""

    company: Company
    changes: list[event_pb.Event] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    alike: list[event_pb.Event] = field(default_factory=list)
    """Incidents of the services that were changed, beside those of the services that call them."""

    def events(self) -> Iterator[event_pb.Event]:
        """Yield all events."""
        yield from self.changes
        yield from self.alike
        for incident in self.incidents:
            yield incident.event


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a history is; the catalog lacks the share `missing` of the dependencies."""

    services: int
    until: int
    days: int
    changes_an_hour: float
    missing: float = 0.1

    @property
    def first(self) -> int:
        """When the history begins."""
        return self.until - self.days * DAY


def history(seed: int, scale: Scale, incidents: int) -> History:
    """Return a history with so many incidents, in the second half of it: before, services get a past."""
    return make(seed, scale, incidents).history()


def make(seed: int, scale: Scale, incidents: int) -> Maker:
    """Return what makes such a history, and knows how."""
    of = company(seed, scale.services, missing=scale.missing)
    maker = Maker(random.Random(f"history {seed}"), of, scale.first)
    maker.noise(scale.until, scale.changes_an_hour)
    maker.plant((scale.first + scale.until) // 2, scale.until, incidents)
    maker.changes.sort(key=lambda change: change.start)
    return maker


@dataclass(slots=True)
class MadeChange:
    """A change before it is recorded."""

    service: str
    type: event_pb.Type
    environment: event_pb.Environment
    start: int
    took: int
    status: event_pb.Status
    title: str
    version: str = ""
    lines: int = 0
    configuration: bool = False
    id: str = ""

    @property
    def end(self) -> int:
        """When it ended."""
        return self.start + self.took


class Maker:
    """Makes changes and incidents of a company; `changes` and `incidents` are those so far."""

    def __init__(self, chance: random.Random, of: Company, first: int) -> None:
        self._chance = chance
        self._of = of
        self._first = first
        self._releases: defaultdict[str, int] = defaultdict(int)
        self.changes: list[MadeChange] = []
        self.incidents: list[Incident] = []
        self.alike: list[event_pb.Event] = []

    def history(self) -> History:
        """Return what was recorded."""
        return History(self._of, [*map(self.event, self.changes)], self.incidents, self.alike)

    def noise(self, until: int, changes_an_hour: float) -> None:
        """Record changes that cause nothing, unless one of them is chosen for it."""
        at = float(self._first)
        while at < until:
            busy = 1.6 if 8 <= at // HOUR % 24 < 18 else 0.57
            at += self._chance.expovariate(changes_an_hour * busy / 2.4 / HOUR)
            (service,) = self._chance.choices(self._of.names, self._of.activity)
            kind = self._chance.random()
            if kind < 0.7:
                self._release(service, int(at))
            else:
                self._single(service, int(at), kind)

    def plant(self, since: int, until: int, number: int) -> None:
        """Let some changes cause incidents, and some incidents have other causes."""
        live = [change for change in self.changes if since <= change.start < until]
        settings = [change for change in live if change.configuration]
        others = [change for change in live if not change.configuration]
        dangers = {id(group): [self.danger(each) for each in group] for group in (settings, others)}
        troubled = [self._of.fragility[name] for name in self._of.names]
        for kind in self._chance.choices(list(KINDS), list(KINDS.values()), k=number):
            if kind == "no recorded cause":
                (service,) = self._chance.choices(self._of.names, troubled)
                self._incident(service, self._chance.randrange(since, until), "", kind)
                continue
            group = settings if kind == "configuration" else others
            (cause,) = self._chance.choices(group, dangers[id(group)])
            service = self._shown(cause.service, kind)
            at = self._begins(cause, kind)
            if kind == "coincident noise":
                self._burst(service, at)
            self._incident(service, at, cause.id, kind, self._told(cause.service, service))
            if service != cause.service and self._chance.random() < 0.5:
                near = at + round(self._chance.uniform(-5, 3) * MINUTE)
                self.alike.append(self._alert(cause.service, near, "", "direct"))

    def event(self, change: MadeChange) -> event_pb.Event:
        """Return a change as it was recorded, by a clock that is not exact."""
        skew = round(self._chance.gauss(0, 30 * MICROS))
        attributes = event_pb.EventAttributes(
            service=change.service,
            type=change.type,
            environment=change.environment,
            status=change.status,
            version=change.version,
            source="pipeline",
            start_date=timestamp(change.start + skew),
            end_date=timestamp(change.end + skew) if change.took else None,
            labels={"lines_changed": str(change.lines)} if change.lines else {},
        )
        return event_pb.Event(
            title=change.title,
            attributes=attributes,
            metadata=event_pb.EventMetadata(
                id=change.id,
                created_at=timestamp(change.start + skew),
                elapsed=duration(change.took),
            ),
        )

    def _release(self, service: str, at: int) -> None:
        self._releases[service] += 1
        version = f"1.{self._releases[service]}.0"
        lines = round(self._chance.lognormvariate(4.4, 1.3)) + 1 if self._chance.random() < 0.7 else 0
        for stage in STAGES:
            took = round(self._chance.lognormvariate(1.6, 0.6) * MINUTE)
            failed = self._chance.random() < 0.04
            status = _Status.failure if failed else _Status.success
            title = f"Deploy {service} {version}"
            self._add(MadeChange(service, _Type.deployment, stage, at, took, status, title, version, lines))
            if failed:
                return
            at += took + round(self._chance.expovariate(1 / (40 * MINUTE)))

    def _single(self, service: str, at: int, kind: float) -> None:
        stage = self._chance.choices(STAGES, (1, 1, 3))[0]
        took = round(self._chance.lognormvariate(1.0, 1.0) * MINUTE)
        if kind < 0.85:
            title = self._chance.choice(("Set feature flag", "Change configuration"))
            what, took = f"{title} of {service}", took // 10
            change = MadeChange(service, _Type.operation, stage, at, took, _Status.done, what)
            change.configuration = True
            self._add(change)
        elif kind < 0.95:
            title = self._chance.choice(("Migrate database", "Restart nodes", "Rotate certificates"))
            self._add(
                MadeChange(
                    service, _Type.operation, stage, at, 5 * took, _Status.done, f"{title} of {service}"
                )
            )
        else:
            self._add(MadeChange(service, _Type.drift, stage, at, 0, _Status.warning, f"Drift of {service}"))

    def _add(self, change: MadeChange) -> None:
        change.id = id_at(change.start, self._chance)
        self.changes.append(change)

    def danger(self, change: MadeChange) -> float:
        """Return how likely a change is to cause an incident of production."""
        place = int(change.service.rpartition("-")[2])
        size = float((change.lines / 80) ** 0.35) if change.lines else 1.0
        failed = 4.0 if change.status is _Status.failure else 1.0
        kind = 0.3 if change.type is _Type.drift else 1.0
        live = 1.0 if change.environment is _Environment.production else 0.01
        rare = float(self._of.activity[place] ** -0.35)
        return self._of.fragility[change.service] * size * failed * rare * kind * live

    def _shown(self, service: str, kind: str) -> str:
        """Return the service whose incident a change of one causes."""
        steps = {"one dependency away": 1, "two dependencies away": 2}.get(kind, 0)
        if kind in {"configuration", "slow burn", "coincident noise"} and self._chance.random() < 0.2:
            steps = 1
        calls, callers = self._of.calls, self._of.callers
        for _ in range(steps):
            asks_for_too_much = self._chance.random() < 0.12
            near = [*calls.get(service, ())] if asks_for_too_much else [*callers.get(service, ())]
            service = self._chance.choice(
                near or [*callers.get(service, ()), *calls.get(service, ()), service]
            )
        return service

    def _told(self, changed: str, service: str) -> str:
        """Return the service that the text of an incident names, which may be the wrong one, or nothing."""
        told = self._chance.random()
        if told < 0.25 and service != changed:
            return changed
        others = self._of.calls.get(service)
        return self._chance.choice(others) if others and told > 0.92 else ""

    def _begins(self, cause: MadeChange, kind: str) -> int:
        """Return when the incident of a change is noticed."""
        chance = self._chance
        noticed = chance.uniform(0.5, 4)
        match kind:
            case "one dependency away":
                minutes = chance.gammavariate(2, 10)
            case "two dependencies away":
                minutes = chance.gammavariate(2, 18)
            case "slow burn":
                minutes = 60 * chance.weibullvariate(4.5, 1.8)
            case "configuration":
                minutes = chance.expovariate(1 / 5) if chance.random() < 0.6 else 60 * chance.uniform(0.5, 5)
            case _ if chance.random() < 0.25:
                return cause.start + round(cause.took * chance.uniform(0.2, 1)) + round(noticed * MINUTE)
            case _:
                minutes = chance.lognormvariate(2.1, 1.0)
        return cause.end + round((minutes + noticed) * MINUTE)

    def _burst(self, service: str, at: int) -> None:
        """Record changes around a service, shortly before an incident, that have nothing to do with it."""
        near = [*self._of.calls.get(service, ()), *self._of.callers.get(service, ())] or [service]
        for _ in range(self._chance.randrange(4, 9)):
            before = at - round(self._chance.uniform(1, 25) * MINUTE)
            stage = self._chance.choices(STAGES, (1, 1, 2))[0]
            took = round(self._chance.lognormvariate(1.0, 0.6) * MINUTE)
            name = self._chance.choice(near)
            self._add(
                MadeChange(
                    name,
                    _Type.deployment,
                    stage,
                    before - took,
                    took,
                    _Status.success,
                    f"Deploy {name} again",
                )
            )

    def _incident(self, service: str, at: int, cause: str, kind: str, told: str = "") -> None:
        self.incidents.append(Incident(self._alert(service, at, told, kind), cause, kind))

    def _alert(self, service: str, at: int, told: str, kind: str) -> event_pb.Event:
        fills_up = self._chance.random() < (0.6 if kind == "slow burn" else 0.1)
        trouble = self._chance.choice(_SLOW_TROUBLES if fills_up else _TROUBLES)
        known = self._chance.random() < 0.92
        return event_pb.Event(
            title=f"{service}: {trouble}",
            attributes=event_pb.EventAttributes(
                service=service,
                type=_Type.incident,
                environment=_Environment.production if known else _Environment.UNSPECIFIED,
                status=_Status.open,
                source="alerts",
                message=f"calls to {told} fail" if told else "",
                start_date=timestamp(at),
            ),
            metadata=event_pb.EventMetadata(id=id_at(at, self._chance), created_at=timestamp(at)),
        )
