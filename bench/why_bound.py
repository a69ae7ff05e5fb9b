"""How often any method at all could have the cause of an incident first, in the histories of `bench.why`.

    python -m bench.why_bound            judge by the seeds of `bench.why`

Bayes' rule with the laws by which the histories were made (`tracker.demo.incidents`): for each
incident, the probability of every change to be its cause, given the moment, the service, the text,
and incidents of other services. Nobody can do better on average. Two bounds, the second of which knows
less:

- `everything`: also the dependencies that the catalog lacks, and how fragile services are
- `what is recorded`: the dependencies of the catalog, and how many it lacks
"""

from __future__ import annotations

import argparse
import statistics
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from math import exp, gamma, log, pi, sqrt
from typing import TYPE_CHECKING, Final

from bench.why import ASKED, UNTIL, Rules, among_three, interval, ratio

from tracker.demo.incidents import KINDS, Scale, make
from tracker.domain.dependencies import dependencies_of
from tracker.domain.events import attributes_of, event_time
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.demo.incidents import History, Incident, MadeChange, Maker

_MINUTE: Final = 60 * MICROS
_LONGEST: Final = 24 * 60 * _MINUTE
_NOTICED: Final = [0.5 + 3.5 * (each + 0.5) / 16 for each in range(16)]
"""Minutes until an incident is noticed, as equally likely as a uniform distribution."""
_STEPS: Final = {"one dependency away": 1, "two dependencies away": 2}


def _gamma(shape: float, scale: float) -> Callable[[float], float]:
    return lambda t: t ** (shape - 1) * exp(-t / scale) / (gamma(shape) * scale**shape) if t > 0 else 0.0


def _weibull(scale: float, shape: float) -> Callable[[float], float]:
    def density(t: float) -> float:
        x = t / scale
        return shape / scale * x ** (shape - 1) * exp(-(x**shape)) if t > 0 else 0.0

    return density


def _lognormal(mean: float, spread: float) -> Callable[[float], float]:
    return lambda t: (
        exp(-((log(t) - mean) ** 2) / (2 * spread**2)) / (t * spread * sqrt(2 * pi)) if t > 0 else 0.0
    )


def _configuration(t: float) -> float:
    late = 0.4 / 270 if 30 <= t <= 300 else 0.0
    return 0.6 * exp(-t / 5) / 5 + late if t > 0 else 0.0


_DELAYS: Final[Mapping[str, Callable[[float], float]]] = {
    "one dependency away": _gamma(2, 10),
    "two dependencies away": _gamma(2, 18),
    "slow burn": _weibull(60 * 4.5, 1.8),
    "configuration": _configuration,
}
_AT_ONCE: Final = _lognormal(2.1, 1.0)


def _density(kind: str, change: MadeChange, at: int) -> float:
    """Return how likely, per minute, an incident of a kind is noticed at a moment after a change."""
    after, took = (at - change.end) / _MINUTE, change.took / _MINUTE
    delay = _DELAYS.get(kind)
    if delay is not None:
        return statistics.fmean(delay(after - each) for each in _NOTICED)
    later = statistics.fmean(_AT_ONCE(after - each) for each in _NOTICED)
    since = after + took
    parts = [0.2 + 0.8 * (each + 0.5) / 16 for each in range(16)] if took else [0.0]
    during = statistics.fmean(float(0.5 <= since - took * each <= 4) / 3.5 for each in parts)
    return 0.25 * during + 0.75 * later


@dataclass(frozen=True)
class Knowledge:
    """What a bound knows beside the records."""

    name: str
    graph: bool
    fragility: bool


KNOWN: Final = (
    Knowledge("everything", graph=True, fragility=True),
    Knowledge("what is recorded", graph=False, fragility=False),
)


class Bound:
    """The probabilities of the causes of incidents, for one history."""

    def __init__(self, maker: Maker, made: History, since: int, scale: Scale, known: Knowledge) -> None:
        self._known = known
        of = made.company
        self._services = scale.services
        self._missing = scale.missing
        catalog = dependencies_of(of.catalog)
        self._calls = of.calls if known.graph else catalog.calls
        self._callers = of.callers if known.graph else catalog.callers
        self._period = (scale.until - since) / _MINUTE
        again = [each for each in maker.changes if each.title.endswith("again")]
        self._bursts = sorted((each.end, each.service) for each in again)
        live = [each for each in maker.changes if since <= each.start < scale.until]
        self._changes = sorted((each for each in live if not each.title.endswith("again")), key=_end)
        self._ends = [each.end for each in self._changes]
        fragility = of.fragility
        self._dangers = {
            each.id: maker.danger(each) / (1 if known.fragility else fragility[each.service])
            for each in self._changes
        }
        self._sums = {
            which: sum(self._dangers[each.id] for each in self._changes if each.configuration == which)
            for which in (True, False)
        }
        total = sum(fragility.values())
        self._troubled = {
            name: fragility[name] / total if known.fragility else 1 / len(of.names) for name in of.names
        }
        self._alike: defaultdict[str, list[int]] = defaultdict(list)
        for event in (*made.alike, *(each.event for each in made.incidents)):
            self._alike[attributes_of(event).service].append(event_time(event))
        self._alerts = (len(made.alike) + len(made.incidents)) / scale.services / self._period

    def probabilities(self, incident: Incident) -> tuple[Sequence[tuple[str, float]], float]:
        """Return the changes before an incident with their probabilities, and that of no recorded cause."""
        event, at = incident.event, event_time(incident.event)
        shown, text = attributes_of(event).service, attributes_of(event).message
        told = text.removeprefix("calls to ").removesuffix(" fail") if text else ""
        slow = any(word in event.title for word in ("memory", "disk", "pool"))
        words = {
            kind: (0.6 if slow else 0.4) if kind == "slow burn" else 0.1 if slow else 0.9 for kind in KINDS
        }
        burst = self._burst(shown, at)
        for kind in words:  # changes around an incident of one kind have titles of their own
            words[kind] *= 1.0 if burst == (kind == "coincident noise") else 1e-3
        reach = self._reach(shown)
        none = KINDS["no recorded cause"] * words["no recorded cause"] * self._troubled[shown] / self._period
        none *= 1.0 if not told else 1e-9
        found = []
        low = bisect_left(self._ends, at - _LONGEST)
        high = bisect_right(self._ends, at + 60 * _MINUTE)
        for change in self._changes[low:high]:
            near = reach.get(change.service)
            if near is None or change.start > at:
                continue
            base = (
                self._dangers[change.id]
                * self._text(change.service, shown, told)
                * self._other(change, shown, at)
            )
            rate = 0.0
            for kind, share in KINDS.items():
                if kind == "no recorded cause" or (kind == "configuration") != change.configuration:
                    continue
                steps = _STEPS.get(kind, 0)
                mixed = kind in {"configuration", "slow burn", "coincident noise"}
                where = 0.8 * near[0] + 0.2 * near[1] if mixed else near[steps]
                if where:
                    rate += share * words[kind] * where * _density(kind, change, at)
            if rate:
                found.append((change.id, base * rate / self._sums[change.configuration]))
        total = sum(rate for _, rate in found) + none
        return [(id_, rate / total) for id_, rate in found], none / total

    def _reach(self, shown: str) -> Mapping[str, tuple[float, float, float]]:
        """Return how likely a change of each service shows at one, after 0, 1 and 2 steps."""
        once = self._into(shown)
        reach: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        reach[shown][0] = 1.0
        for name, share in once.items():
            reach[name][1] += share
            for other, before in self._into(name).items():
                reach[other][2] += share * before
        if not self._known.graph:  # a dependency that the catalog lacks leads anywhere
            for name in self._troubled:
                reach[name][1] = (1 - self._missing) * reach[name][1] + self._missing / self._services
                reach[name][2] = (1 - self._missing) ** 2 * reach[name][
                    2
                ] + 2 * self._missing / self._services
        return {name: (each[0], each[1], each[2]) for name, each in reach.items()}

    def _into(self, shown: str) -> Mapping[str, float]:
        """Return how likely each service leads to one in a step."""
        near = {*self._calls.get(shown, ()), *self._callers.get(shown, ()), shown}
        return {name: share for name in near if (share := self._step(name).get(shown, 0.0))}

    def _step(self, name: str) -> Mapping[str, float]:
        calls, callers = [*self._calls.get(name, ())], [*self._callers.get(name, ())]
        shares: defaultdict[str, float] = defaultdict(float)
        for share, near in ((0.12, calls), (0.88, callers)):
            either = near or [*callers, *calls] or [name]
            for other in either:
                shares[other] += share / len(either)
        return shares

    def _text(self, changed: str, shown: str, told: str) -> float:
        """Return how likely an incident's text names a service, or none."""
        others = self._calls.get(shown) or ()
        own = 0.25 if changed != shown else 0.0
        if not told:
            return 1 - own - (0.08 if others else 0)
        wrong = 0.08 / len(others) if told in others else 1e-4
        return (own if told == changed else 0.0) + wrong

    def _other(self, change: MadeChange, shown: str, at: int) -> float:
        """Return how much an incident of the service that was changed speaks for it."""
        if change.service == shown:
            return 1.0
        known = min(at + 3 * _MINUTE, at + ASKED)
        seen = any(at - 5 * _MINUTE <= each <= known for each in self._alike[change.service])
        return 0.5 / 8 / self._alerts if seen else 0.5

    def _burst(self, shown: str, at: int) -> bool:
        near = {*self._calls.get(shown, ()), *self._callers.get(shown, ())} or {shown}
        low, high = bisect_left(self._bursts, (at - 27 * _MINUTE, "")), bisect_right(self._bursts, (at, ""))
        return sum(service in near for _, service in self._bursts[low:high]) >= 4


def _end(change: MadeChange) -> int:
    return change.end


def main() -> None:
    """Compute, and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=101, help="the first seed")
    parser.add_argument("--services", type=int, default=120)
    parser.add_argument("--noise", type=float, default=50.0)
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--incidents", type=int, default=250)
    options = parser.parse_args()
    scale = Scale(options.services, UNTIL, options.days, options.noise)
    since = (scale.first + scale.until) // 2
    places: defaultdict[str, list[tuple[str, int, float, int]]] = defaultdict(list)
    for seed in range(options.first, options.first + options.seeds):
        maker = make(seed, scale, options.incidents)
        made = maker.history()
        rules = Rules(made)
        for known in KNOWN:
            bound = Bound(maker, made, since, scale, known)
            for incident in made.incidents:
                found, none = bound.probabilities(incident)
                own = dict(found).get(incident.cause, 0.0)
                place = 1 + sum(share > own for _, share in found) if own else 0
                rule = rules.places(incident)["last of the service"]
                places[known.name].append((incident.kind, place, none, rule))
    for name, rows in places.items():
        caused = [row for row in rows if row[0] != "no recorded cause"]
        first, by_rule = ([float(row[place] == 1) for row in caused] for place in (1, 3))
        print(f"\n{name}: hit@1 {interval(first)}, hit@3 {interval(among_three(row[1] for row in caused))},")
        print(f"{ratio(first, by_rule)} times the last of the service")
        for kind in sorted({row[0] for row in caused}):
            those = [row for row in caused if row[0] == kind]
            one, three = [float(row[1] == 1) for row in those], among_three(row[1] for row in those)
            print(f"  {kind:24}{len(those):>5}  hit@1 {interval(one)}  hit@3 {interval(three)}")


if __name__ == "__main__":
    main()
