"""Fits a conditional logit: how much features count when one of several alternatives was the case.

The probability of an alternative is e to the power of its score, divided by the sum of that over
all; its score is the sum of its features times their weights (McFadden 1974). The weights are those
of greatest posterior probability: each has a normal prior distribution around the weight that it
has now. They are found by Newton's method.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Features: TypeAlias = "Mapping[str, float]"

_STEPS: Final = 40
_HALVINGS: Final = 12
_CLOSE: Final = 1e-7
"""The gain at which the search ends, per case."""
_NEGLIGIBLE: Final = 1e-5
"""The probability below which an alternative is left out of the curvature."""


@dataclass(frozen=True, slots=True)
class Case:
    """Alternatives, and the numbers of those one of which was the case."""

    alternatives: Sequence[Features]
    chosen: Sequence[int]


def score(features: Features, weights: Mapping[str, float]) -> float:
    """Return the sum of features times their weights."""
    return sum(value * weights[name] for name, value in features.items())


def probabilities(alternatives: Sequence[Features], weights: Mapping[str, float]) -> Sequence[float]:
    """Return the probability of each alternative."""
    scores = [score(each, weights) for each in alternatives]
    most = max(scores)
    rates = [exp(each - most) for each in scores]
    total = sum(rates)
    return [rate / total for rate in rates]


def log_loss(cases: Sequence[Case], weights: Mapping[str, float]) -> float:
    """Return the mean of minus the logarithm of the probability of what was the case, in nats."""
    return -sum(_log_likelihood(case, weights) for case in cases) / max(1, len(cases))


def fit(cases: Sequence[Case], weights: Mapping[str, float], spread: float = 1.0) -> Mapping[str, float]:
    """Return the weights for some cases; the prior distribution has the standard deviation `spread`.

    Those of features that no case has stay as they are.
    """
    names = sorted(
        {name for case in cases for each in case.alternatives for name, value in each.items() if value}
    )
    present, prior = dict(weights), 1 / spread**2

    def posterior(of: Mapping[str, float]) -> float:
        penalty = sum((of[name] - weights[name]) ** 2 for name in names) * prior / 2
        return sum(_log_likelihood(case, of) for case in cases) - penalty

    best = posterior(present)
    for _ in range(_STEPS):
        gradient, curvature = _derivatives(cases, present, names)
        for number, name in enumerate(names):
            gradient[number] -= (present[name] - weights[name]) * prior
            curvature[number][number] += prior
        step = dict(zip(names, _solved(curvature, gradient), strict=True))
        gained, present = _climbed(posterior, present, step, best)
        best += gained
        if gained < _CLOSE * len(cases):
            break
    return present


def _climbed(
    posterior: Callable[[Mapping[str, float]], float],
    present: Mapping[str, float],
    step: Mapping[str, float],
    best: float,
) -> tuple[float, dict[str, float]]:
    """Return the gain of a step, halved until it has one, and the weights after it."""
    for halving in range(_HALVINGS):
        moved = {name: value + step.get(name, 0.0) / 2**halving for name, value in present.items()}
        if (gained := posterior(moved) - best) > 0:
            return gained, moved
    return 0.0, dict(present)


def _log_likelihood(case: Case, weights: Mapping[str, float]) -> float:
    likely = probabilities(case.alternatives, weights)
    return log(max(1e-300, sum(likely[number] for number in case.chosen)))


def _derivatives(
    cases: Sequence[Case], weights: Mapping[str, float], names: Sequence[str]
) -> tuple[list[float], list[list[float]]]:
    """Return the gradient of the log-likelihood, and its curvature: the covariance of features."""
    place = {name: number for number, name in enumerate(names)}
    gradient = [0.0] * len(names)
    curvature = [[0.0] * len(names) for _ in names]
    for case in cases:
        likely = probabilities(case.alternatives, weights)
        chosen = sum(likely[number] for number in case.chosen) or 1.0
        mean = [0.0] * len(names)
        for number, (each, share) in enumerate(zip(case.alternatives, likely, strict=True)):
            of_chosen = share / chosen if number in case.chosen else 0.0
            if share < _NEGLIGIBLE and not of_chosen:
                continue
            known = [(place[name], value) for name, value in each.items() if name in place]
            for row, value in known:
                gradient[row] += (of_chosen - share) * value
                mean[row] += share * value
                line, weighted = curvature[row], share * value
                for column, other in known:
                    line[column] += weighted * other
        used = [(row, value) for row, value in enumerate(mean) if value]
        for row, value in used:
            line = curvature[row]
            for column, other in used:
                line[column] -= value * other
    return gradient, curvature


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Return the solution of linear equations whose matrix is positive definite, by Gaussian elimination."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for pivot, row in enumerate(rows):
        for below in rows[pivot + 1 :]:
            if factor := below[pivot] / row[pivot]:
                for column in range(pivot, len(row)):
                    below[column] -= factor * row[column]
    solution = [0.0] * len(rows)
    for number in reversed(range(len(rows))):
        known = sum(rows[number][column] * solution[column] for column in range(number + 1, len(rows)))
        solution[number] = (rows[number][-1] - known) / rows[number][number]
    return solution
