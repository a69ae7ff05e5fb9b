"""What a correct lock may do next: the sequential model that a history is measured against.

A lock is held by at most one acquisition, and each is known by its fencing token, so that every observed step
leads from a state to at most one other.

What nobody saw happen is not searched for but supposed where a step needs it: that a lease ran out, or that a
call without an answer took effect. A supposed step is possible from a certain moment on; `horizon` is
how late it may be, which is the earliest end of all calls not yet explained.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from tests.histories.operations import NEVER, Answer, Kind, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.histories.operations import Operation


class State(NamedTuple):
    """What a lock knows at a moment."""

    last: int
    """The last token it gave."""
    held: bool
    """Whether that acquisition holds it."""
    began: int
    """When a lease last began, at the earliest."""
    until: int
    """When the lease ends, at the earliest."""

    def begin(self, token: int, called: int, ttl: int) -> State:
        """Return the state after an acquisition began its lease, by a call of a certain moment.

        Not before the lease before it began, however early the call.
        """
        began = max(self.began, called)
        return State(token, held=True, began=began, until=began + ttl if ttl else NEVER)

    def end(self) -> State:
        """Return the state after the lock was released, or its lease ran out."""
        return self._replace(held=False, until=NEVER)


FRESH = State(last=0, held=False, began=0, until=NEVER)


class Effect(Enum):
    """What an answer says of the lock at some moment between call and answer."""

    GRANTED = auto()
    """The acquisition took it, or held it already; its lease began anew."""
    RENEWED = auto()
    """The acquisition held it; its lease began anew."""
    FREED = auto()
    """The acquisition held it, and no longer does."""
    HELD = auto()
    """The acquisition held it."""
    OVER = auto()
    """The acquisition had held it, and no longer did."""
    FREE = auto()
    """Nobody held it."""


OBSERVATIONS = frozenset({Effect.HELD, Effect.OVER, Effect.FREE})
"""Effects that change nothing by themselves."""


class Step(NamedTuple):
    """An answered call: when it began and ended, and what the answer says of which acquisition."""

    called: int
    returned: int
    effect: Effect
    token: int
    operation: Operation


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The calls without an answer that may have had their effect at any time since they were made."""

    acquired: dict[int, Operation]
    """By fencing token, the earliest that may have taken the lock."""
    released: dict[int, Operation]
    """By fencing token, the earliest after which the lock may have been free again."""

    def apply(self, state: State, step: Step, horizon: int) -> State | None:
        """Return the state after a step, or None where no correct lock takes that step in this state."""
        token, called, ttl = step.token, step.called, step.operation.ttl
        match step.effect:
            case Effect.GRANTED:
                mine = token == state.last and state.held
                free = token > state.last and self._free(state, horizon)
                return state.begin(token, called, ttl) if mine or free else None
            case Effect.RENEWED:
                held = self._held(token, state, horizon)
                return held and held.begin(token, called, ttl)
            case Effect.FREED:
                held = self._held(token, state, horizon)
                return held and held.end()
            case Effect.HELD:
                return self._held(token, state, horizon)
            case Effect.FREE:
                return self._free(state, horizon)
            case Effect.OVER:
                held = self._held(token, state, horizon) if token > state.last else state
                return held and (self._free(held, horizon) if token == held.last else held)

    def _free(self, state: State, horizon: int) -> State | None:
        """Return the state in which nobody holds the lock: this one, or one it may have come to."""
        if not state.held:
            return state
        released = self.released.get(state.last)
        ended = min(state.until, NEVER if released is None else released.called)
        return state.end() if ended <= horizon else None

    def _held(self, token: int, state: State, horizon: int) -> State | None:
        """Return the state in which an acquisition holds the lock: this one, or one it may have come to."""
        if state.last == token:
            return state if state.held else None
        acquired = self.acquired.get(token)
        if token < state.last or acquired is None or acquired.called > horizon:
            return None
        free = self._free(state, horizon)
        return free and free.begin(token, acquired.called, acquired.ttl)


def steps_of(history: Sequence[Operation]) -> tuple[list[Step], Unanswered]:
    """Split the operations of one lock into what was answered, in the order of calls, and what was not.

    Acquisitions that no answer names have no part in it: that they never were explains all that was seen.
    """
    given = {o.claim: o.token for o in history if o.kind is Kind.ACQUIRE and o.answer is Answer.OK}
    seen: dict[str, list[int]] = {}
    for claim, token in sorted(set(map(named, history))):
        seen.setdefault(claim, []).append(token)
    steps: list[Step] = []
    unanswered = Unanswered({}, {})
    for operation in history:
        if operation.answer is not Answer.UNKNOWN:
            effect, token = _effect(operation, given)
            if token or effect is not Effect.OVER:
                steps.append(Step(operation.called, operation.returned, effect, token, operation))
        elif operation.kind is Kind.RELEASE:
            unanswered.released.setdefault(operation.token, operation)
        elif operation.kind is Kind.ACQUIRE and operation.claim in seen:
            token = seen[operation.claim].pop(0)  # each call took the lock once, if at all
            unanswered.acquired[token] = operation
            if token != given.get(operation.claim):  # a server gives back what it can't give to its caller
                unanswered.released.setdefault(token, operation)
            if not seen[operation.claim]:
                del seen[operation.claim]
    return steps, unanswered


def _effect(operation: Operation, given: Mapping[str, int]) -> tuple[Effect, int]:
    kind, done = operation.kind, operation.answer is Answer.OK
    if kind in (Kind.ACQUIRE, Kind.CHECK) and operation.holder:
        return Effect.HELD, operation.holder_token
    if kind is Kind.CHECK:
        return Effect.FREE, 0
    if kind is Kind.ACQUIRE and not done:
        return Effect.OVER, given.get(operation.claim, 0)
    if not done or operation.repeated:
        return Effect.OVER, operation.token
    effects = {Kind.ACQUIRE: Effect.GRANTED, Kind.RENEW: Effect.RENEWED, Kind.RELEASE: Effect.FREED}
    return effects[kind], operation.token
