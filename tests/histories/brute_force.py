"""Linearizability of a lock by its definition: try every order of everything that may have happened.

For histories of a few operations, to measure the checker against. Unlike that, it takes every
unanswered call, effective or not, every expiry and every lock given back as a step of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.histories.operations import NEVER, Answer, Kind, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.histories.operations import Operation


@dataclass(frozen=True)
class Lock:
    """A lock between two steps."""

    holder: int = 0
    began: int = 0
    until: int = 0
    last: int = 0

    def ended(self) -> Lock:
        return replace(self, holder=0)

    def taken(self, operation: Operation, token: int) -> Lock:
        began = max(self.began, operation.called)
        return Lock(token, began, began + operation.ttl, token)


@dataclass(frozen=True)
class Explanation:
    """What is known of the claims of a history: all tokens of each, and the one it was given."""

    seen: dict[str, set[int]]
    given: dict[str, int]

    def exists(self, lock: Lock, rest: list[Operation]) -> bool:
        """Tell whether there is an order for what remains of a history."""
        horizon = min((o.returned for o in rest), default=NEVER)
        if horizon == NEVER:
            return True
        may_end = lock.until <= horizon or lock.holder not in self.given.values()
        if lock.holder and may_end and self.exists(lock.ended(), rest):
            return True
        return any(
            self.exists(after, rest[:index] + rest[index + 1 :])
            for index, operation in enumerate(rest)
            if operation.called <= horizon
            for after in self._steps(lock, operation)
        )

    def _steps(self, lock: Lock, operation: Operation) -> Iterator[Lock]:
        if operation.answer is Answer.REFUSED:
            if self._refused(lock, operation):
                yield lock
        elif operation.kind is Kind.ACQUIRE:
            own = {operation.token} if operation.token else self.seen.get(operation.claim, set())
            yield from (
                lock.taken(operation, token)
                for token in own
                if token == lock.holder or (not lock.holder and token > lock.last)
            )
        elif operation.repeated:
            if lock.last >= operation.token != lock.holder:
                yield lock
        elif lock.holder == operation.token:
            match operation.kind:
                case Kind.CHECK:
                    yield lock
                case Kind.RENEW:
                    yield lock.taken(operation, lock.holder)
                case Kind.RELEASE:
                    yield lock.ended()

    def _refused(self, lock: Lock, operation: Operation) -> bool:
        """Tell whether a call may be refused that way."""
        if operation.holder:
            return lock.holder == operation.holder_token
        if operation.kind is Kind.CHECK:
            return not lock.holder
        token = operation.token or self.given.get(operation.claim, 0)
        return lock.last >= token != lock.holder or not token


def linearizable(history: Sequence[Operation]) -> bool:
    """Tell whether some order explains a history of one lock."""
    seen: dict[str, set[int]] = {}
    for claim, token in map(named, history):
        seen.setdefault(claim, set()).add(token)
    given = {o.claim: o.token for o in history if o.kind is Kind.ACQUIRE and o.answer is Answer.OK}
    return Explanation(seen, given).exists(Lock(), list(history))
