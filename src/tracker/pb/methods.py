"""What the protos say of an RPC beside its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf.wkt.google.protobuf.descriptor_pb import MethodOptions

if TYPE_CHECKING:
    from protobuf import DescMethod


def only_reads(method: DescMethod) -> bool:
    """Return whether a call of an RPC changes nothing."""
    return method.idempotency is MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS


def is_idempotent(method: DescMethod) -> bool:
    """Return whether calls of an RPC that are the same have the effect of one, by themselves."""
    return method.idempotency is MethodOptions.IdempotencyLevel.IDEMPOTENT
