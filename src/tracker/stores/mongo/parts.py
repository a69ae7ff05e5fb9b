"""Pages of an ordered result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.stores.mongo.writes import Document
    from tracker.stores.pages import Cursor, Page


def to_read(page: Page) -> int:
    """Return the limit of a page: one record more than it gives, to know whether any remain; 0 for all."""
    return 0 if page.limit is None else page.limit + 1


def beyond_cursor(fields: Sequence[str], cursor: Cursor, *, newest_first: bool) -> Document:
    """Return the condition for what comes after a cursor in the order of its fields."""
    beyond = "$lt" if newest_first else "$gt"
    return {
        "$or": [
            dict(zip(fields[:place], cursor[:place], strict=True)) | {fields[place]: {beyond: cursor[place]}}
            for place in range(len(fields))
        ]
    }
