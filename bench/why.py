"""How well explanations of incidents find the cause, beside three simple rules, where the cause is known.

    python -m bench.why                 judge the weights that Tracker has
    python -m bench.why --fit           compute weights from other histories, print and judge them
    python -m bench.why --postmortems   judge them by incidents of public post-mortems
    python -m bench.why --services 40   a smaller company, with as many changes an hour

Each history is stored in SQLite and read as a server reads it, as of three minutes after each
incident began. The seeds that weights are computed from, 1 to 20, are not those that they are
judged by, from 101.

A rule's hit@1 is the share of incidents with a recorded cause where it has the cause first; MRR is
the mean of one divided by the place of the cause (0 if it has none). Intervals are of 95 %, from
1,000 resamplings of the incidents. `no recorded cause` is right where no change has a share of the
threshold or more.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from bisect import bisect_right
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.postmortems import placed
from bench.store_at_rest import Silent

from tracker.config.settings import Settings
from tracker.demo.incidents import Scale, history
from tracker.domain.access import ANONYMOUS
from tracker.domain.causes.features import changes_before
from tracker.domain.causes.history import neighbourhood
from tracker.domain.causes.weights import DEFAULTS, NO_RECORDED_CAUSE
from tracker.domain.dependencies import dependencies_of
from tracker.domain.events import attributes_of, event_id, event_time
from tracker.logit import Case, fit, log_loss, probabilities
from tracker.services.context import Call
from tracker.services.incidents.records import RecordReader
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tracker.demo.incidents import History, Incident
    from tracker.pb import catalog_pb

UNTIL: Final = 1_790_000_000 * MICROS
ASKED: Final = 3 * 60 * MICROS
_WINDOW: Final = round(Settings().why_window * MICROS)
_RESAMPLINGS: Final = 1_000
_NONE: Final = "no recorded cause"
_ALL: Final = "all with a cause"

PARTS: Final[Mapping[str, Sequence[str]]] = {
    "service and dependencies": ("same_service", "dependency_1", "dependency_2", "caller_1", "caller_2"),
    "environment": ("same_environment", "unknown_environment"),
    "time before": ("age", "old"),
    "under way": ("running",),
    "outcome": ("failed",),
    "kind of change": ("operation", "drift", "configuration"),
    "size": ("size",),
    "later changes": ("superseded",),
    "rarity": ("rare",),
    "earlier incidents": ("incident_prone",),
    "overlaps": ("overlaps",),
    "text": ("mentioned", "gradual"),
    "other incidents": ("also_failing",),
}
"""The parts of a score, each of which is taken out once."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An incident: the features of the changes before it, and the place of its cause among them.

    `places` has the place of the cause by each rule, from 1, or 0 where the rule does not have it.
    """

    kind: str
    features: Sequence[Mapping[str, float]]
    cause: int | None
    places: Mapping[str, int]

    @property
    def case(self) -> Case:
        """What a fit learns from it."""
        alternatives = [*self.features, {NO_RECORDED_CAUSE: 1.0}]
        return Case(alternatives, [len(self.features) if self.cause is None else self.cause])


async def judged(made: History, later: int = 0) -> Sequence[Judged]:
    """Return the incidents of a history, as of some minutes after what is usual."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "tracker.db"), Silent())
        await store.open()
        try:
            events = [*made.events()]
            for at in range(0, len(events), 1_000):
                await store.events.add(events[at : at + 1_000])
            for entry in made.company.catalog:
                await store.catalog.upsert(entry.name, partial(_described, entry))
            reader = RecordReader(store.events, store.catalog, store.freezes, _WINDOW)
            rules = Rules(made)
            return [await _judged(incident, reader, rules, later) for incident in made.incidents]
        finally:
            await store.close()


def _described(entry: catalog_pb.Catalog, _: catalog_pb.Catalog | None) -> catalog_pb.Catalog:
    return entry


async def _judged(incident: Incident, reader: RecordReader, rules: Rules, later: int) -> Judged:
    call = Call("grpc", "bench", "")
    call.made_by(ANONYMOUS)
    as_of = event_time(incident.event) + ASKED + later * 60 * MICROS
    records = await reader.before(incident.event, (), call, as_of)
    changes = changes_before(incident.event, records.events, records.places, records.history, as_of)
    ids = [event_id(change.event) for change in changes]
    cause = ids.index(incident.cause) if incident.cause in ids else None
    if incident.cause and cause is None:
        return Judged(incident.kind, [], -1, rules.places(incident))
    return Judged(incident.kind, [change.features for change in changes], cause, rules.places(incident))


class Rules:
    """The rules to compare with: each takes the newest change of some, and the one before it, and so on."""

    def __init__(self, of: History) -> None:
        self._changes = sorted(of.changes, key=event_time)
        self._times = [event_time(change) for change in self._changes]
        self._dependencies = dependencies_of(of.company.catalog)

    def places(self, incident: Incident) -> Mapping[str, int]:
        """Return the place of the cause by each rule."""
        attributes = attributes_of(incident.event)
        near = neighbourhood(self._dependencies, attributes.service)
        rules: Mapping[str, Callable[[str, bool], bool]] = {
            "newest anywhere": _any,
            "newest near": lambda service, same: same and service in near,
            "last of the service": lambda service, same: same and service == attributes.service,
        }
        at = event_time(incident.event)
        found = dict.fromkeys(rules, 0)
        counts = dict.fromkeys(rules, 0)
        for number in range(bisect_right(self._times, at) - 1, -1, -1):
            change = self._changes[number]
            if self._times[number] < at - _WINDOW:
                break
            of = attributes_of(change)
            same = not attributes.environment or of.environment == attributes.environment
            is_cause = event_id(change) == incident.cause
            for name, takes in rules.items():
                if takes(of.service, same):
                    counts[name] += 1
                    if is_cause:
                        found[name] = counts[name]
            if is_cause:
                break
        return found


def _any(_service: str, _same: bool) -> bool:  # noqa: FBT001 - as the other rules take it
    return True


def place_of(incident: Judged, weights: Mapping[str, float]) -> tuple[int, float]:
    """Return the place of the cause by its share, from 1, or 0 without one; and the greatest share."""
    if not incident.features:
        return 0, 0.0
    likely = probabilities(incident.case.alternatives, weights)[:-1]
    if incident.cause is None:
        return 0, max(likely)
    own = likely[incident.cause]
    earlier = sum(each == own for each in likely[: incident.cause])
    return 1 + sum(each > own for each in likely) + earlier, max(likely)


def interval(values: Sequence[float]) -> str:
    """Return a mean with its interval of 95 %."""
    if not values:
        return "-"
    chance = random.Random(1)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(_RESAMPLINGS))
    low, high = means[int(0.025 * len(means))], means[int(0.975 * len(means))]
    return f"{statistics.fmean(values):.2f} [{low:.2f}, {high:.2f}]"


def ratio(ours: Sequence[float], others: Sequence[float]) -> str:
    """Return the ratio of two means of the same incidents, with its interval of 95 %."""
    chance, pairs = random.Random(1), [*zip(ours, others, strict=True)]
    found = []
    for _ in range(_RESAMPLINGS):
        drawn = chance.choices(pairs, k=len(pairs))
        found.append(sum(a for a, _ in drawn) / max(1e-9, sum(b for _, b in drawn)))
    found.sort()
    middle = sum(ours) / max(1e-9, sum(others))
    return f"{middle:.2f} [{found[int(0.025 * len(found))]:.2f}, {found[int(0.975 * len(found))]:.2f}]"


def among_three(places: Iterable[int]) -> list[float]:
    """Return 1 for each place among the first three, and 0 for any other."""
    return [float(place in {1, 2, 3}) for place in places]


def reciprocal(places: Iterable[int]) -> list[float]:
    """Return one divided by each place, and 0 without one."""
    return [1 / place if place else 0.0 for place in places]


def report(incidents: Sequence[Judged], weights: Mapping[str, float], threshold: float) -> None:
    """Print how the rules and the weights do, over all and by kind, and which goals are reached."""
    places = [place_of(each, weights) for each in incidents]
    names = [*incidents[0].places]
    rows = [(each, place, share) for each, (place, share) in zip(incidents, places, strict=True)]
    strata = {_ALL: [row for row in rows if row[0].cause is not None]}
    kinds = dict.fromkeys(each.kind for each in incidents if each.kind != _NONE)
    strata |= {kind: [row for row in rows if row[0].kind == kind] for kind in sorted(kinds)}
    print(f"\n{'hit@1':24}{'incidents':>10}  " + "".join(f"{name:22}" for name in (*names, "Tracker")))
    losing = []
    for kind, those in strata.items():
        by_rule = {name: [float(each.places[name] == 1) for each, *_ in those] for name in names}
        own = [float(place == 1) for _, place, _ in those]
        print(f"{kind:24}{len(those):>10}  " + "".join(f"{interval(v):22}" for v in (*by_rule.values(), own)))
        best = max(by_rule.values(), key=sum)
        if sum(own) < sum(best):
            losing.append(kind)
        if kind == _ALL:
            overall = ratio(own, best)
    known = strata[_ALL]
    for name, figure in (("hit@3", among_three), ("MRR", reciprocal)):
        columns = [figure(each.places[rule] for each, *_ in known) for rule in names]
        columns.append(figure(place for _, place, _ in known))
        print(f"{name:24}{len(known):>10}  " + "".join(f"{interval(v):22}" for v in columns))
    print(f"\n{'hit@3 by kind':24}")
    for kind, those in strata.items():
        print(f"{kind:24}{len(those):>10}  {interval(among_three(place for _, place, _ in those))}")
    none = [float(share < threshold) for each, _, share in rows if each.kind == _NONE]
    named = [(place == 1) for _, place, share in rows if share >= threshold]
    spoken = [float(share >= threshold) for _, _, share in known]
    print(f"\na suspect is named (share ≥ {threshold:g}) in {interval(spoken)} of incidents with a cause,")
    print(f"and of all that are named, {interval([float(each) for each in named])} are the cause")
    print("share of the first   incidents   it was the cause")
    for fifth in range(5):
        right = [float(place == 1) for _, place, share in rows if min(4, int(5 * share)) == fifth]
        print(f"{fifth / 5:.1f} to {(fifth + 1) / 5:.1f}{len(right):>19}   {interval(right)}")
    hit3 = statistics.fmean(among_three(place for _, place, _ in known))
    print(f"\ngoals\nhit@1 / strongest rule ≥ 1.4     {overall}")
    print(f"at least equal for every kind    {'yes' if not losing else 'no: ' + ', '.join(losing)}")
    print(f"hit@3 ≥ 0.9                      {hit3:.2f}")
    print(f"none named where none ≥ 0.8      {interval(none)}")


def ablation(incidents: Sequence[Judged], weights: Mapping[str, float]) -> None:
    """Print what becomes of the figures if a part of the score is left out."""
    known = [each for each in incidents if each.cause is not None]
    cases = [each.case for each in incidents if each.features]

    def row(name: str, used: Mapping[str, float]) -> None:
        places = [place_of(each, used)[0] for each in known]
        one = statistics.fmean(float(place == 1) for place in places)
        three, mrr = statistics.fmean(among_three(places)), statistics.fmean(reciprocal(places))
        print(f"{name:28}{one:>8.3f}{three:>8.3f}{mrr:>8.3f}{log_loss(cases, used):>10.3f}")

    print(f"\n{'without':28}{'hit@1':>8}{'hit@3':>8}{'MRR':>8}{'log loss':>10}")
    row("nothing", weights)
    for part, names in PARTS.items():
        row(part, {**weights, **dict.fromkeys(names, 0.0)})


async def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fit", action="store_true", help="compute weights first")
    parser.add_argument("--postmortems", action="store_true", help="judge by those of public post-mortems")
    parser.add_argument("--seeds", type=int, default=6, help="histories to judge by, and to compute from")
    parser.add_argument("--services", type=int, default=120)
    parser.add_argument("--noise", type=float, default=50.0, help="changes an hour that cause nothing")
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--incidents", type=int, default=250, help="incidents of a history")
    parser.add_argument("--missing", type=float, default=0.1, help="dependencies that the catalog lacks")
    parser.add_argument("--later", type=int, default=0, help="minutes later that it is asked")
    parser.add_argument("--threshold", type=float, default=Settings().why_threshold)
    options = parser.parse_args()
    weights: Mapping[str, float] = DEFAULTS
    scale = Scale(options.services, UNTIL, options.days, options.noise, options.missing)
    began = time.perf_counter()
    if options.fit:
        seeds = range(1, 1 + options.seeds)
        tuning = [history(seed, scale, options.incidents) for seed in seeds]
        learned = [each for made in tuning for each in await judged(made)]
        cases = [each.case for each in learned if each.features]
        weights = fit(cases, DEFAULTS, spread=3.0)
        print(f"from {len(cases)} incidents, log loss {log_loss(cases, weights):.3f}")
        for name, value in weights.items():
            print(f'    "{name}": {value:.2f},')
    seeds = range(101, 101 + options.seeds)
    if options.postmortems:
        histories = [placed(seed, scale) for seed in seeds]
    else:
        histories = [history(seed, scale, options.incidents) for seed in seeds]
    incidents = [each for made in histories for each in await judged(made, options.later)]
    print(f"{len(incidents)} incidents of {options.seeds} histories: {options.services} services,", end=" ")
    print(f"{options.noise:g} changes an hour; {time.perf_counter() - began:.0f} s")
    report(incidents, weights, options.threshold)
    ablation(incidents, weights)


if __name__ == "__main__":
    asyncio.run(main())
