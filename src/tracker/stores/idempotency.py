"""The contract of a store, as far as it is about idempotency keys.

A change that is given a `Once` uses its idempotency key: the change is made and the answer remembered, or
neither, wherever the process ends. In place of a change it raises `AnsweredBeforeError` if the key has been
used, by whichever server and for whatever, and `KeyUnderWayError` if it may be in use. What finds nothing to
change leaves the key as it was. Keys are forgotten `KEPT_MICROS` after their use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The use of an idempotency key: for a request, by its digest, at a time in microseconds since 1970."""

    key: str
    request: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Once(Generic[T]):
    """What makes a change happen once, however often it is asked for with the same idempotency key.

    `answer` makes what is answered of what the change led to.
    """

    use: KeyUse
    answer: Callable[[T], bytes]

    def of(self, part: Callable[[S], T]) -> Once[S]:
        """Return the same for a change that leads to something that what is answered is made of."""
        return Once(self.use, lambda made: self.answer(part(made)))


@dataclass(frozen=True, slots=True)
class Answered:
    """The digest of the request that an idempotency key was used for, and what was answered."""

    request: bytes
    answer: bytes


class AnsweredBeforeError(Exception):
    """The idempotency key of a change has been used: `answered` says for what, and what was answered."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(answered)
        self.answered = answered


class KeyUnderWayError(Exception):
    """The idempotency key of a change belongs to one that is being made, or that was cut off a moment ago."""


class IdempotencyStore(Protocol):
    """The idempotency keys that changes were made with, and what was answered."""

    async def find(self, key: str, now: int) -> Answered | None:
        """Return what a key was used for, less than `KEPT_MICROS` before `now`; None where it may be used.

        Raises:
            KeyUnderWayError: It isn't known yet, since a change with this key is being made.
        """

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        """Remember what a call was answered that has been made, and does no harm if it is made twice."""
