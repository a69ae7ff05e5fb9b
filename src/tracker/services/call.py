"""What a service knows of the call it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from tracker.stores.changes import PRINCIPAL
from tracker.stores.idempotency import Once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf import Message

    from tracker.stores.idempotency import KeyUse

T = TypeVar("T")
M = TypeVar("M", bound="Message")
Wire = Literal["grpc", "rest", "http"]
"""How a call arrived: an RPC over gRPC, an RPC over REST, or a plain HTTP request."""
Send: TypeAlias = Callable[[Any], Awaitable[None]]
"""Hands a message of a stream to its caller."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call."""

    id: str


ANONYMOUS = Principal("anonymous")
"""A caller without credentials."""


async def _send_nothing(_message: object) -> None:
    raise TypeError("only a stream sends messages")


@dataclass(slots=True)
class Call:
    """One call: its wire, its id, the address it came from, and who makes it.

    `headers` are those of HTTP, or the metadata of gRPC, by lower-case name; repeated ones are joined by
    commas. `timeout` is the seconds that the caller is willing to wait, or None for any time. `send` returns
    once the caller can take another message, and may be cancelled. The chain sets `principal`, and `use` for
    a call whose idempotency key is remembered with its change.
    """

    wire: Wire
    request_id: str
    peer: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    send: Send = _send_nothing
    principal: Principal = field(init=False, repr=False)
    use: KeyUse | None = None

    def made_by(self, principal: Principal) -> None:
        """Set who makes the call, in its task: the change log records the principal of each change."""
        self.principal = principal
        PRINCIPAL.set(principal.id)

    @property
    def user_agent(self) -> str:
        """The value of the header `User-Agent`."""
        return self.headers.get("user-agent", "")

    @property
    def idempotency_key(self) -> str | None:
        """The header of that name, as it was sent."""
        return self.headers.get("idempotency-key")

    def once(self, answer: Callable[[T], Message]) -> Once[T] | None:
        """Return how the store remembers the answer to this call, or None where the call has no key.

        `answer` returns the answer for the result of the change.
        """
        return None if self.use is None else Once(self.use, lambda made: answer(made).to_binary())


def answer_with(response: Callable[..., M], field: str) -> Callable[[object], M]:
    """Return what makes the answer that has a record in `field`, and nothing else."""
    return lambda record: response(**{field: record})
