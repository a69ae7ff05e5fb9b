"""What a service knows of the call it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from tracker.stores.idempotency import Once

if TYPE_CHECKING:
    from collections.abc import Callable

    from protobuf import Message

    from tracker.stores.idempotency import KeyUse

T = TypeVar("T")
Wire = Literal["grpc", "rest"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: which wire it came over, its id, who made it.

    `timeout` is the seconds that the caller will wait, or None where it did not say. `idempotency_key` is the
    header of that name as it came; `use` says what its key is used for, if the call may change something.
    """

    wire: Wire
    request_id: str
    peer: str
    timeout: float | None = None
    idempotency_key: str | None = None
    use: KeyUse | None = None

    def once(self, answer: Callable[[T], Message]) -> Once[T] | None:
        """Return what makes the change that this call asks for happen once: None where the call has no key.

        `answer` makes the answer to the call of what the change led to.
        """
        return None if self.use is None else Once(self.use, lambda made: answer(made).to_binary())
