"""What a service knows of the call it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wire = Literal["grpc", "rest"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: which wire it came over, its id, who made it.

    `timeout` is the seconds that the caller will wait, or None where it did not say.
    """

    wire: Wire
    request_id: str
    peer: str
    timeout: float | None = None
