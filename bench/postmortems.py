"""Incidents of public post-mortems among the changes of a company, as a second test of explanations.

`postmortems.json` has what each post-mortem says: the services between the incident and the change that
caused it, when both began, and where that was published; some had no change as their cause.
"""

from __future__ import annotations

import json
import random
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.demo.incidents import Incident, history
from tracker.domain.events import event_time
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.time_text import micros_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.demo.incidents import History, Scale

PUBLIC: Final = "public post-mortem"
NONE: Final = "no recorded cause"
_FILE: Final = Path(__file__).with_name("postmortems.json")
_PLACES: Final = 5
"""Services and moments of a company at which each of them is put."""


class Case(NamedTuple):
    """An incident; without a cause, `before` and `took` are 0. Times are in microseconds.

    `steps` are the dependencies from its service to the one that was changed, or with `caller`, back to it.
    """

    name: str
    title: str
    cause: str
    type: event_pb.Type
    before: int
    took: int
    steps: int
    caller: bool


def cases() -> Sequence[Case]:
    """Return the incidents of the file."""
    return [_case(each) for each in json.loads(_FILE.read_text("utf-8"))]


def _case(of: dict[str, object]) -> Case:
    change = of.get("change", {})
    assert isinstance(change, dict)
    path = of["path"]
    assert isinstance(path, list)
    at = _micros(of["at"])
    start = _micros(change["start"]) if change else at
    return Case(
        name=str(of["name"]),
        title=str(of["incident"]),
        cause=str(change.get("title", "")),
        type=event_pb.Type[change.get("type", "operation")],
        before=at - start,
        took=_micros(change["end"]) - start if "end" in change else 0,
        steps=len(path) - 1,
        caller=bool(of.get("caller")),
    )


def placed(seed: int, scale: Scale) -> History:
    """Return the history of a company that has each of the incidents, at several services and moments."""
    made = history(seed, scale, incidents=0)
    chance = random.Random(f"post-mortems {seed}")
    for case in cases():
        for _ in range(_PLACES):
            _place(made, case, chance, chance.randrange((scale.first + scale.until) // 2, scale.until))
    made.changes.sort(key=event_time)
    return made


def _place(made: History, case: Case, chance: random.Random, at: int) -> None:
    edges = made.company.callers if case.caller else made.company.calls
    ends = [path for name in made.company.names if (path := _path(edges, name, case.steps, chance))]
    service, changed = chance.choice(ends)
    cause = ""
    if case.cause:
        change = _event(changed, case.cause, case.type, at - case.before, case.took)
        made.changes.append(change)
        cause = change.metadata.id if change.metadata is not None else ""
    incident = _event(service, case.title, event_pb.Type.incident, at, 0)
    made.incidents.append(Incident(incident, cause, PUBLIC if cause else NONE))


def _path(
    edges: Mapping[str, Sequence[str]], start: str, steps: int, chance: random.Random
) -> tuple[str, str] | None:
    """Return a service and one that many dependencies away, or None where there is none."""
    name = start
    for _ in range(steps):
        following = edges.get(name)
        if not following:
            return None
        name = chance.choice(following)
    return start, name


def _event(service: str, title: str, type_: event_pb.Type, at: int, took: int) -> event_pb.Event:
    ended = event_pb.Status.open if type_ is event_pb.Type.incident else event_pb.Status.done
    return event_pb.Event(
        title=title,
        attributes=event_pb.EventAttributes(
            service=service,
            type=type_,
            environment=event_pb.Environment.production,
            status=ended,
            start_date=timestamp(at),
            end_date=timestamp(at + took) if took else None,
        ),
        metadata=event_pb.EventMetadata(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{service} {title} {at}")), created_at=timestamp(at)
        ),
    )


def _micros(text: object) -> int:
    return micros_of(datetime.fromisoformat(str(text)))
