"""The contract of a store for idempotency keys.

A change that is given a `Once` uses its key: the change and the answer are stored in one atomic step. If the
key was used before, on any server, the change is not made: it raises `AnsweredBeforeError`, or
`KeyUnderWayError` while the key may be in use. A call that changes nothing does not use the key. Keys are
forgotten `KEPT_MICROS` after their use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from tracker.time_text import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")
T = TypeVar("T")

KEPT_MICROS: Final = DAY
"""How long after its use a key is remembered, in microseconds."""


def is_over(used_at: int, now: int) -> bool:
    """Return whether the use of a key at a moment (microseconds) is forgotten at `now`."""
    return used_at <= forgotten_until(now)


def forgotten_until(now: int) -> int:
    """Return the moment (microseconds) of the latest use that is forgotten at `now`."""
    return now - KEPT_MICROS


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The use of an idempotency key: for a request, by its digest, at a time in microseconds since 1970."""

    key: str
    request: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Once(Generic[T]):
    """Makes a change happen once for its idempotency key; `answer` encodes the result of the change."""

    use: KeyUse
    answer: Callable[[T], bytes]

    def of(self, part: Callable[[S], T]) -> Once[S]:
        """Return the same for a change whose result `part` maps to the one that is encoded."""
        return Once(self.use, lambda made: self.answer(part(made)))


@dataclass(frozen=True, slots=True)
class Answered:
    """The digest of the request that an idempotency key was used for, and the answer."""

    request: bytes
    answer: bytes


class AnsweredBeforeError(Exception):
    """The idempotency key of a change has been used, for the request that `answered` names."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(answered)
        self.answered = answered


class KeyUnderWayError(Exception):
    """The idempotency key belongs to a change that is in progress, or was interrupted a moment ago."""


class IdempotencyStore(Protocol):
    """The idempotency keys of changes, and their answers."""

    async def find(self, key: str, now: int, *, also: str = "") -> Answered | None:
        """Return what a key was used for less than `KEPT_MICROS` before `now`, or None for an unused key.

        The key may be stored under another text, too.

        Raises:
            KeyUnderWayError: A change with this key is in progress.
        """

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        """Store the answer to a call that is done, and does no harm if it is repeated."""
