"""Whether a lock's history can be explained by effects one at a time, each between its call and its answer.

The search of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of
configurations that led nowhere ("Testing for linearizability", 2017). Which operations a configuration
has explained is kept as all that were called before a first one that it has not, and a bit for each
later one; so a step costs as much as there are calls at once, however long the history is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.histories.model import FRESH, OBSERVATIONS, steps_of
from tests.histories.operations import NEVER, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.histories.model import State, Step, Unanswered
    from tests.histories.operations import Operation


class _Configuration(NamedTuple):
    first: int
    """The first step not explained."""
    later: int
    """Which steps from there on are: bit 0 is the step `first`, and never set."""
    state: State

    def explained(self) -> int:
        return self.first + self.later.bit_count()

    def after(self, steps: Sequence[int], state: State) -> _Configuration:
        later = self.later
        for step in steps:
            later |= 1 << (step - self.first)
        done = (~later & (later + 1)).bit_length() - 1
        return _Configuration(self.first + done, later >> done, state)


def not_linearizable(history: Sequence[Operation]) -> Violation | None:
    """Return where no explanation of a lock's operations, given in the order of calls, goes on; else None."""
    steps, unanswered = steps_of(history)
    start = _Configuration(0, 0, FRESH)
    stack, seen, furthest = [start], {start}, start
    while stack:
        configuration = stack.pop()
        if configuration.first == len(steps):
            return None
        if configuration.explained() > furthest.explained():
            furthest = configuration
        for following in _successors(configuration, steps, unanswered):
            if following not in seen:
                seen.add(following)
                stack.append(following)
    candidates, _ = _candidates(furthest, steps)
    return Violation(
        history[0].key,
        f"not linearizable: after {furthest.explained()} of {len(steps)} answers and {furthest.state}, "
        "none of these can be next",
        [steps[candidate].operation for candidate in candidates],
    )


def _candidates(configuration: _Configuration, steps: Sequence[Step]) -> tuple[list[int], int]:
    """Return the steps that may come next, in the order of calls, and when the first of them must have."""
    horizon, candidates = NEVER, []
    later, at = configuration.later, configuration.first
    while at < len(steps) and steps[at].called <= horizon:
        candidates.append(at)
        horizon = min(horizon, steps[at].returned)
        later >>= 1
        explained = (~later & (later + 1)).bit_length() - 1
        later >>= explained
        at += 1 + explained
    return [c for c in candidates if steps[c].called <= horizon], horizon


def _successors(
    configuration: _Configuration, steps: Sequence[Step], unanswered: Unanswered
) -> list[_Configuration]:
    """Return where each possible next step leads, the likeliest last.

    Observations that hold now are taken at once and for certain: they leave every other step as possible
    as before.
    """
    candidates, horizon = _candidates(configuration, steps)
    possible: list[tuple[int, State]] = []
    observed: list[int] = []
    for candidate in candidates:
        state = unanswered.apply(configuration.state, steps[candidate], horizon)
        if state is configuration.state and steps[candidate].effect in OBSERVATIONS:
            observed.append(candidate)
        elif state is not None:
            possible.append((candidate, state))
    if observed:
        return [configuration.after(observed, configuration.state)]
    possible.sort(key=lambda choice: (choice[1].last, steps[choice[0]].returned), reverse=True)
    return [configuration.after([candidate], state) for candidate, state in possible]
