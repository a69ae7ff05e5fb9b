"""What a client knows of an RPC: its descriptor, and the types of its request and answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from protobuf import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf import DescFile, DescMethod

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Q, A]):
    """One RPC; `repeatable` where a second call has no effect that the first had not.

    One that only reads is repeatable anyway, and so is a request with a `lock_token` or an external id: that
    is what these are for. Any other is sent with an idempotency key.
    """

    method: DescMethod
    request: type[Q]
    answer: type[A]
    repeatable: bool = False


def methods_of(file: DescFile) -> Mapping[str, DescMethod]:
    """Return the methods that the services of a file have, by their names."""
    return {method.name: method for service in file.services for method in service.methods}
