"""Many rows in one statement, which runs without the interpreter, and so beside what the event loop does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bulk(Generic[T]):
    """What there is to do of a change in the thread that commits: large statements, and few of them."""

    run: Callable[[apsw.Connection], T]


def places(rows: int, columns: int) -> str:
    """Return the places of rows behind VALUES; a statement may have 32,766."""
    row = f"({','.join('?' * columns)})"
    return ",".join([row] * rows)
