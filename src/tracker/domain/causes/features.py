"""What is known of a change in view of an incident, as numbers: 0 is what is usual."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import log, log10
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.events import attributes_of, event_cursor, event_id, event_time
from tracker.domain.overlaps import timed_event
from tracker.pb import event_pb
from tracker.time_text import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracker.domain.causes.history import History, Place
    from tracker.domain.overlaps import TimedEvent

_Status, _Type = event_pb.Status, event_pb.Type

CHANGES: Final = (_Type.deployment, _Type.operation, _Type.drift)
"""Types of events that change a system."""

FAILED: Final = frozenset({_Status.failure, _Status.error, _Status.warning})
NOT_BEGUN: Final = frozenset({_Status.planned, _Status.waiting_approval})

LATE: Final = 2 * MINUTE
"""How much later than the incident a change may be recorded and have caused it: clocks differ."""

_SOON, _OLD = 5, 240
"""Minutes: up to the first, age counts little; from the second, `old` is added to it."""
_ALIKE = 5
"""Minutes between two incidents at which they speak half as much for each other."""
_USUAL_LINES = 100
_LINES: Final = ("lines_changed", "additions", "deletions")
"""Labels that say how many lines a change has."""
_USUAL_CHANGES = 14
"""Changes in 14 days of a service that changes as often as most."""
_MOST_COMMON = -2.5
"""The least value of `rare`."""
_USUAL_INCIDENTS, _DOUBT = 0.05, 20
"""Incidents per change, and the number of changes that is as good as nothing known."""
_CONFIGURATION = re.compile(
    r"\b(config|configuration|feature flags?|flags?|toggle|settings?)\b", re.IGNORECASE
)
_GRADUAL = re.compile(
    r"\b(memory|leak\w*|oom\w*|disks?|queues?|backlog|pool|exhaust\w*|saturat\w*|descriptors|quota|out of)\b"
)
"""Words for what fills up before it fails."""
_NAME = re.compile(r"\w(?:[\w.-]*\w)?")
_ROLLBACK = re.compile(r"\b(roll(ed|s|ing)?[ -]?back|revert(s|ed|ing)?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Change:
    """A change that may have caused an incident, its features, and what they are computed from.

    `age` is the time from its end to the incident, or from its start while it goes on, in microseconds.
    `place` is None without a known dependency. `later` is how many changes of the same service and
    environment came between it and the incident.
    """

    event: event_pb.Event
    age: int
    place: Place | None
    features: Mapping[str, float]
    later: int
    history: tuple[int, int]
    """Changes and incidents of its service in the 14 days before."""


def changes_before(
    incident: event_pb.Event,
    events: Iterable[event_pb.Event],
    places: Mapping[str, Place],
    history: History,
    as_of: int,
) -> Sequence[Change]:
    """Return the changes among events that may have caused an incident, the newest first.

    `as_of` is the moment (microseconds since the epoch) at which this is asked: what comes later is unknown.
    """
    series: defaultdict[tuple[str, int], list[TimedEvent]] = defaultdict(list)
    for event in sorted(events, key=event_cursor):
        attributes = attributes_of(event)
        if attributes.status not in NOT_BEGUN:
            series[attributes.service, attributes.environment].append(timed_event(event, as_of))
    at, told = event_time(incident), _Told(incident)
    found = []
    for spans in series.values():
        taken_back = _taken_back(spans, at)
        before = [span for span in spans if span.start <= at + LATE]
        for number, (span, overlaps) in enumerate(zip(before, _overlapping(before), strict=True)):
            later, back = len(before) - number - 1, event_id(span.event) in taken_back
            context = _Context(incident, told, at, as_of, later, overlaps, back)
            found.append(_change(span, context, places, history))
    own = event_id(incident)
    return sorted(
        (change for change in found if event_id(change.event) != own),
        key=lambda change: event_cursor(change.event),
        reverse=True,
    )


class _Told:
    """What the text of an incident says."""

    def __init__(self, incident: event_pb.Event) -> None:
        attributes = attributes_of(incident)
        self.service = attributes.service
        self._text = f"{incident.title}\n{attributes.message}".lower()
        self._words = frozenset(_NAME.findall(self._text))
        self.is_gradual = _GRADUAL.search(self._text) is not None

    def names(self, name: str) -> bool:
        """Return whether it has a name, in lower case, as a word."""
        return name in self._words or (_NAME.fullmatch(name) is None and name in self._text)


class _Context(NamedTuple):
    """What is known of a change beside itself."""

    incident: event_pb.Event
    told: _Told
    at: int
    as_of: int
    later: int
    overlaps: bool
    taken_back: bool


def _change(span: TimedEvent, known: _Context, places: Mapping[str, Place], history: History) -> Change:
    attributes, own = attributes_of(span.event), attributes_of(known.incident)
    ended = span.end <= known.as_of and not span.goes_on
    running = not ended or span.end > known.at
    age = max(0, known.at - (span.start if running else span.end))
    place = places.get(attributes.service)
    changes, incidents = (of.get(attributes.service, 0) for of in (history.changes, history.incidents))
    is_same, mentioned = attributes.service == own.service, _is_mentioned(span.event, known.told)
    aged = age_features(age)
    log_age, stranger = aged["age"], place is None
    per_change = (incidents + _USUAL_INCIDENTS * _DOUBT) / (changes + _DOUBT)
    features: dict[str, float] = {
        **where_features(place, attributes, own),
        **aged,
        "stranger_age": log_age if stranger else 0,
        "running": running,
        "running_age": log_age if running else 0,
        "failed": ended and attributes.status in FAILED and attributes.type != _Type.drift,
        "rolled_back": known.taken_back,
        "operation": attributes.type == _Type.operation,
        "drift": attributes.type == _Type.drift,
        "configuration": is_configuration(span.event),
        "size": _size(attributes),
        "superseded": log(1 + known.later),
        "rare": max(_MOST_COMMON, log(_USUAL_CHANGES / (changes + 1))),
        "incident_prone": log(per_change / _USUAL_INCIDENTS),
        "overlaps": known.overlaps,
        "gradual": log_age if is_same and known.told.is_gradual else 0,
        "also_failing": 0 if is_same else _alike(history.failing.get(attributes.service, 0), span, known.at),
        "mentioned": mentioned,
        "stranger_mentioned": mentioned and stranger,
        "linked": _is_linked(span.event, known.incident),
    }
    given = {name: float(value) for name, value in features.items() if value}
    return Change(span.event, age, place, given, known.later, (changes, incidents))


def _overlapping(series: Sequence[TimedEvent]) -> Iterator[bool]:
    """Yield for each change of a series, ordered by start, whether another one goes on at the same time."""
    stop = 0
    for number, span in enumerate(series):
        yield span.start < stop or (number + 1 < len(series) and series[number + 1].start < span.stop)
        stop = max(stop, span.stop)


def age_features(age: int) -> Mapping[str, float]:
    """Return the features of an age in microseconds."""
    minutes = age / MINUTE
    return {"age": log(1 + minutes / _SOON), "old": log(max(1, minutes / _OLD))}


def where_features(
    place: Place | None, attributes: event_pb.EventAttributes, own: event_pb.EventAttributes
) -> Mapping[str, float]:
    """Return the features of the place of a change by its attributes and those of an incident."""
    features: dict[str, float] = {}
    if place is not None:
        kind = "caller" if place.caller else "dependency"
        features[f"{kind}_{place.distance}" if place.distance else "same_service"] = 1.0
        features["shared"] = place.others
    if not attributes.environment or not own.environment:
        features["unknown_environment"] = 1.0
    elif attributes.environment == own.environment:
        features["same_environment"] = 1.0
    for one, other in ((attributes.region, own.region), (attributes.cluster, own.cluster)):
        if one and other and one != other:
            features["other_place"] = 1.0
    return features


def _alike(began: int, span: TimedEvent, at: int) -> float:
    """Return how much an incident of a change's service speaks for the change: 1 at the same moment."""
    return 1 / (1 + abs(began - at) / (_ALIKE * MINUTE)) if began >= span.start else 0.0


def is_configuration(event: event_pb.Event) -> bool:
    """Return whether the title or a label of a change says that it is one of a configuration or a flag."""
    labels = attributes_of(event).labels
    texts = [event.title, *(labels[name] for name in _KINDS if name in labels)]
    return any(map(_CONFIGURATION.search, texts))


_KINDS: Final = ("change", "change_type", "kind", "category", "changed_resource.type")


def lines_of(attributes: event_pb.EventAttributes) -> int | None:
    """Return how many lines a change has, by its labels, or None where they don't say."""
    given = [attributes.labels[name] for name in _LINES if name in attributes.labels]
    numbers = [int(text) for text in given if text.isascii() and text.isdecimal() and len(text) <= _DIGITS]
    return sum(numbers) if numbers else None


_DIGITS = 9


def _size(attributes: event_pb.EventAttributes) -> float:
    lines = lines_of(attributes)
    return 0.0 if lines is None else min(2.0, max(-2.0, log10(max(1, lines) / _USUAL_LINES)))


def _taken_back(series: Sequence[TimedEvent], at: int) -> set[str]:
    """Return the ids of the changes that another one took back after a moment.

    That is a deployment of the version before the change, or one whose title or label `rollback` says so.
    """
    found = set()
    before = ""
    deployed = [span for span in series if attributes_of(span.event).type == _Type.deployment]
    for span, following in pairwise(deployed):
        this, that = attributes_of(span.event), attributes_of(following.event)
        returns = bool(that.version) and that.version == before != this.version
        says = that.labels.get("rollback") == "true" or _ROLLBACK.search(following.event.title)
        if following.start > at >= span.start and (returns or says):
            found.add(event_id(span.event))
        before = this.version or before
    return found


def _is_mentioned(change: event_pb.Event, told: _Told) -> bool:
    """Return whether the text of an incident names a change's version, or its service if that is another."""
    attributes = attributes_of(change)
    service = "" if attributes.service == told.service else attributes.service
    return any(len(name) >= _SHORTEST and told.names(name.lower()) for name in (attributes.version, service))


_SHORTEST = 3


def _is_linked(change: event_pb.Event, incident: event_pb.Event) -> bool:
    """Return whether a change and an incident are linked, or have a ticket or a pull request in common."""
    if (
        event_id(change) == attributes_of(incident).related_id
        or event_id(incident) == attributes_of(change).related_id
    ):
        return True
    one, other = change.links or event_pb.EventLinks(), incident.links or event_pb.EventLinks()
    pairs = ((one.ticket, other.ticket), (one.pull_request_link, other.pull_request_link))
    return any(a and a == b for a, b in pairs)
