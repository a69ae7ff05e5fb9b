"""What clients of a lock record: each call, when it began and ended, and how it was answered."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

NEVER = 2**63 - 1
"""When a call returned that was never answered."""


class Kind(StrEnum):
    """What a client asked for."""

    ACQUIRE = "acquire"
    RENEW = "renew"
    RELEASE = "release"
    CHECK = "check"


class Answer(StrEnum):
    """How it was answered."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """Not at all, or in a way that leaves open whether it took effect, or still will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call. All times are nanoseconds of one clock, which all clients share."""

    client: str
    key: str
    """Which lock."""
    kind: Kind
    claim: str
    """In whose name: one name for each `lock_token`, so that a repeated call has the same one.

    It is also what a lock says of its holder.
    """
    called: int
    returned: int = NEVER
    answer: Answer = Answer.UNKNOWN
    token: int = 0
    """The fencing token of the lock that an `acquire` was given, or that another call is about.

    It tells acquisitions apart: a lock that was given back, since its caller was gone, may be taken by the
    same claim again.
    """
    ttl: int = 0
    """How long the lease lasts; 0 for a lock that is held until it is released."""
    holder: str = ""
    """The claim that the answer names as the holder; of a `check` that names none, the lock is free.

    An `acquire` refused without one is refused because its own claim is over.
    """
    holder_token: int = 0
    repeated: bool = False
    """Of a `release`: whether the answer says that the lock had been released before."""

    def lease_end(self) -> int:
        """Return when the caller takes its lease to end: counted from before its request left."""
        return self.called + self.ttl if self.ttl else NEVER


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that no correct lock does."""

    key: str
    what: str
    operations: Sequence[Operation]
    """Those that show it, or where the search for an explanation ended."""

    def __str__(self) -> str:
        return "\n".join([f"{self.key}: {self.what}", *(f"  {_line(o)}" for o in self.operations)])


def _line(operation: Operation) -> str:
    until = "never" if operation.returned == NEVER else f"{operation.returned / 1e9:.6f}"
    given = {
        "token": operation.token,
        "holder": operation.holder,
        "holder token": operation.holder_token,
        "ttl": operation.ttl / 1e9,
        "repeated": operation.repeated,
    }
    details = ", ".join(f"{name} {value}" for name, value in given.items() if value)
    return (
        f"{operation.called / 1e9:.6f} to {until}: {operation.client} {operation.kind} "
        f"{operation.claim}: {operation.answer}{f' ({details})' if details else ''}"
    )


def now() -> int:
    """Return the time by the clock that goes on while a machine or a process sleeps, and never jumps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def named(operation: Operation) -> tuple[str, int]:
    """Return the claim that an answer says has or had the lock, and its fencing token; "" for none."""
    if operation.kind is Kind.ACQUIRE and operation.answer is Answer.OK:
        return operation.claim, operation.token
    return operation.holder, operation.holder_token


def by_key(history: Iterable[Operation]) -> dict[str, list[Operation]]:
    """Split a history by lock, each part in the order of calls."""
    parts: dict[str, list[Operation]] = {}
    for operation in sorted(history, key=lambda o: o.called):
        parts.setdefault(operation.key, []).append(operation)
    return parts


def write(path: Path, history: Iterable[Operation]) -> None:
    """Write a history, one JSON object a line."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(dataclasses.asdict(o)) + b"\n" for o in history)


def read(path: Path) -> list[Operation]:
    """Read a history that `write` wrote."""
    with path.open("rb") as file:
        return [_operation(orjson.loads(line)) for line in file]


def _operation(value: dict[str, object]) -> Operation:
    kind, answer = Kind(str(value.pop("kind"))), Answer(str(value.pop("answer")))
    return Operation(kind=kind, answer=answer, **value)  # type: ignore[arg-type] # as it was written
