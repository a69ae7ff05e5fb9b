"""Pages of an ordered result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.domain.paging import Cursor
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Page


async def select(  # noqa: PLR0913 - each is a part of the query
    collection: Collection,
    where: Mapping[str, object],
    order: Sequence[tuple[str, int]],
    fields: Sequence[str],
    *,
    limit: int,
    offset: int = 0,
    hint: str | None = None,
) -> list[Document]:
    """Return some fields of the matching documents in an order; a `limit` of 0 is none."""
    cursor = collection.find(where, dict.fromkeys(fields, 1), sort=order, limit=limit, skip=offset, hint=hint)
    return await cursor.to_list()


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
