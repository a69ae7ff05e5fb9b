"""A lock that is right because it does one thing at a time, and histories of clients that use it.

Its code shares nothing with the checker's model.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.histories.operations import Answer, Kind, Operation

if TYPE_CHECKING:
    from random import Random

TTL = 100
_LOSS = 0.2
_LATEST = 60
"""How long after its call an operation takes effect at the latest, and the answer arrives after that."""


@dataclass
class SequentialLock:
    """One lock; every method is one step at one moment."""

    holder: str = ""
    until: int = 0
    renewed: bool = False
    last: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    """Of every claim that holds it, or held it and may not take it again."""

    def expire(self, at: int) -> None:
        if self.holder and at >= self.until:
            self.holder = ""

    def give_back(self, claim: str, token: int) -> None:
        """Undo an acquisition whose caller is gone, unless it called again since."""
        if self.holder == claim and self.last == token and not self.renewed:
            self.holder = ""
            del self.tokens[claim]

    def do(self, operation: Operation, at: int) -> Operation:
        """Return the operation with its answer."""
        mine = bool(self.holder) and self.tokens.get(operation.claim) == self.last
        ok = replace(operation, answer=Answer.OK)
        refused = replace(operation, answer=Answer.REFUSED)
        seen = replace(refused, holder=self.holder, holder_token=self.last if self.holder else 0)
        match operation.kind:
            case Kind.CHECK:
                return replace(seen, answer=Answer.OK) if mine and operation.token == self.last else seen
            case Kind.ACQUIRE:
                return self._acquire(ok, refused, seen, at)
            case Kind.RENEW | Kind.RELEASE if not mine or operation.token != self.last:
                return refused
            case Kind.RELEASE:
                self.holder = ""
            case Kind.RENEW:
                self.until, self.renewed = at + TTL, True
        return ok

    def _acquire(self, ok: Operation, refused: Operation, seen: Operation, at: int) -> Operation:
        claim = ok.claim
        if self.holder == claim:
            self.renewed = True
        elif claim in self.tokens:
            return refused
        elif self.holder:
            return seen
        else:
            self.last += 3
            self.holder, self.tokens[claim], self.renewed = claim, self.last, False
        self.until = at + TTL
        return replace(ok, token=self.last)


class RandomClients:
    """Clients who lose answers and repeat calls, and what they see of a lock."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._lock = SequentialLock()
        self._due: list[tuple[int, int, Operation]] = []
        """Calls under way: when they take effect, a number for the order, and what they are."""
        self._known: dict[str, int] = {}
        self.history: list[Operation] = []

    def call(self, number: int, called: int, kind: Kind, claim: str) -> None:
        """Call, where the client can know what it calls about."""
        if kind is not Kind.ACQUIRE and claim not in self._known:
            return
        token = 0 if kind is Kind.ACQUIRE else self._known[claim]
        operation = Operation(
            client="a client", key="k", kind=kind, claim=claim, called=called, token=token, ttl=TTL
        )
        heapq.heappush(self._due, (called + self._chance.randrange(_LATEST), number, operation))

    def until(self, moment: int) -> None:
        """Let happen what happens until a moment."""
        while self._due and self._due[0][0] <= moment:
            at, number, operation = heapq.heappop(self._due)
            if self._chance.random() < 0.7:
                self._lock.expire(at)
            if operation.token and operation.kind is Kind.ACQUIRE:
                self._lock.give_back(operation.claim, operation.token)
                continue
            self._answer(operation, at, number)

    def _answer(self, operation: Operation, at: int, number: int) -> None:
        lost = self._chance.random()
        if lost < _LOSS / 2:
            self.history.append(operation)
            return
        answered = self._lock.do(operation, at)
        if lost < _LOSS:
            self.history.append(operation)
            if operation.kind is Kind.ACQUIRE and answered.token and self._chance.random() < 0.5:
                heapq.heappush(self._due, (at + self._chance.randrange(_LATEST), number, answered))
            return
        self.history.append(replace(answered, returned=at + self._chance.randrange(_LATEST)))
        if operation.kind is Kind.ACQUIRE and answered.answer is Answer.OK:
            self._known[operation.claim] = answered.token


def random_history(chance: Random, calls: int) -> list[Operation]:
    """Return what clients of a `SequentialLock` see."""
    clients = RandomClients(chance)
    claims = ["claim 0"]
    for number in range(calls):
        called = number * 10 + chance.randrange(10)
        kind = chance.choice([*Kind, Kind.ACQUIRE])
        if kind is Kind.ACQUIRE and chance.random() < 0.5:
            claims.append(f"claim {number}")
        clients.call(number, called, kind, chance.choice(claims[-4:]))
        clients.until(called)
    clients.until(calls * 10 + 2 * _LATEST + 10)
    return sorted(clients.history, key=lambda o: o.called)
