"""Two checks of a lock's history in O(n log n) that need no search: who held it when, and the tokens' order.

They trust nothing but what each holder knew by itself. A holder takes the lock to be its own from the
answer that says so until its lease ends, counted from before the request left, or until it lets go.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

from tests.histories.operations import NEVER, Answer, Kind, Violation, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.histories.operations import Operation


class _Holding(NamedTuple):
    begin: int
    end: int
    granted: Operation


def overlapping_holders(history: Sequence[Operation]) -> Iterator[Violation]:
    """Yield each pair of claims that held one lock at once, given its operations in the order of calls."""
    last: _Holding | None = None
    for holding in sorted(_holdings(history), key=lambda holding: holding[:2]):
        if last is not None and holding.begin < last.end and holding.granted.claim != last.granted.claim:
            yield Violation(holding.granted.key, "two holders at once", [last.granted, holding.granted])
        if last is None or holding.end > last.end:
            last = holding


def _holdings(history: Sequence[Operation]) -> Iterator[_Holding]:
    let_go: dict[int, int] = {}
    for operation in history:
        if operation.kind is Kind.RELEASE:
            let_go.setdefault(operation.token, operation.called)
    for operation in history:
        if operation.kind in (Kind.ACQUIRE, Kind.RENEW) and operation.answer is Answer.OK:
            end = min(operation.lease_end(), let_go.get(operation.token, NEVER))
            if operation.returned < end:
                yield _Holding(operation.returned, end, operation)


def disordered_tokens(history: Sequence[Operation]) -> Iterator[Violation]:
    """Yield answers that name claims and tokens wrongly, and grants whose token falls.

    A token belongs to one claim, a claim is given one token, and a token is larger than all those given
    before it was asked for.
    `history` has the operations of one lock in the order of calls.
    """
    under_way: list[tuple[int, int]] = []
    owner: dict[int, Operation] = {}
    given: dict[str, Operation] = {}
    largest = 0
    for operation in history:
        claim, token = named(operation)
        if not claim:
            continue
        first = owner.setdefault(token, operation)
        if named(first)[0] != claim:
            yield Violation(operation.key, "two claims have one token", [first, operation])
        if operation.kind is not Kind.ACQUIRE or operation.answer is not Answer.OK:
            continue
        if given.setdefault(claim, operation).token != token:
            yield Violation(operation.key, "one claim was given the lock twice", [given[claim], operation])
        while under_way and under_way[0][0] < operation.called:
            largest = max(largest, heapq.heappop(under_way)[1])
        if token < largest:
            yield Violation(operation.key, "a falling token", [owner[largest], operation])
        heapq.heappush(under_way, (operation.returned, token))
