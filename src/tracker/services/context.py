"""What every service is given beside its store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class Context:
    """The clock, the source of ids and the log.

    `now` answers microseconds since the epoch; `new_id` a new UUIDv7, in canonical text.
    """

    now: Callable[[], int]
    new_id: Callable[[], str]
    log: FilteringBoundLogger
