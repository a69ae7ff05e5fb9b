"""How changes are compared: the probability of each to be the cause.

Each change is taken to cause incidents of the service at a rate of its own, and so is all that was
not recorded. When an incident happens, the probability that one of them caused it is its rate
divided by the sum of all rates (the superposition of Poisson processes). The logarithm of the rate
of a change, its score, is the sum of its features times their weights: a conditional logit
(McFadden 1974). In `age`, this is the law of Omori and Utsu: the rate falls with a power of the
age.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.causes.features import Change
from tracker.domain.causes.weights import NO_RECORDED_CAUSE
from tracker.domain.events import event_id
from tracker.logit import probabilities, score
from tracker.pb import incident_pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.domain.causes.freezes import LiftedFreeze


class Ranked(NamedTuple):
    """A change or freeze window with its score, its probability, and what people said of it."""

    change: Change | LiftedFreeze
    score: float
    share: float
    link: incident_pb.Link


class Ranking(NamedTuple):
    """Changes, the most likely first, and the probability of a cause that was not recorded: 1 in all."""

    changes: Sequence[Ranked]
    no_recorded_cause: float


def ranked(
    changes: Sequence[Change | LiftedFreeze],
    weights: Mapping[str, float],
    links: Mapping[str, incident_pb.Link],
) -> Ranking:
    """Return changes, given newest first, by their probability, and of the same one newest first.

    What people said, by the ids of changes, is certain: what they excluded has the probability 0, and so has
    everything but the causes that they confirmed. Of freeze windows they can't say anything.
    """
    said = [_said(change, links) for change in changes]
    confirmed = _Link.caused_by in said
    possible = [link == _Link.caused_by if confirmed else not link for link in said]
    alternatives: list[Mapping[str, float]] = [
        change.features for change, may_be in zip(changes, possible, strict=True) if may_be
    ]
    if not confirmed:
        alternatives.append({NO_RECORDED_CAUSE: 1.0})
    likely = iter(probabilities(alternatives, weights))
    found = [
        Ranked(change, score(change.features, weights), next(likely) if may_be else 0.0, link)
        for change, link, may_be in zip(changes, said, possible, strict=True)
    ]
    found.sort(key=lambda each: (-each.share, each.link == _Link.not_caused_by, -each.score))
    return Ranking(found, next(likely, 0.0))


def _said(change: Change | LiftedFreeze, links: Mapping[str, incident_pb.Link]) -> incident_pb.Link:
    return (
        links.get(event_id(change.event), _Link.UNSPECIFIED)
        if isinstance(change, Change)
        else _Link.UNSPECIFIED
    )


_Link = incident_pb.Link
