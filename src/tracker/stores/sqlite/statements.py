"""Parts of SQL statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.stores.pages import Page


def places(rows: int, columns: int) -> str:
    """Return the parameters of rows for VALUES; a statement may have 32,766."""
    return ",".join([f"({','.join('?' * columns)})"] * rows)


def rows_to_read(page: Page) -> int:
    """Return the LIMIT of a page: one record more than it gives, to know whether any remain; -1 for all."""
    return -1 if page.limit is None else page.limit + 1
