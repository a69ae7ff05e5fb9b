"""Pages of an ordered result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.pages import Total, known_total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Cursor, Page


async def read_page(
    collection: Collection, where: Document, order: Sequence[str], page: Page, *, newest_first: bool = False
) -> tuple[Sequence[Document], Total]:
    """Return the documents of a page in the order of some fields, and one more; and how many match."""
    rest = {} if page.after is None else beyond_cursor(order, page.after, newest_first=newest_first)
    sort = [(field, -1 if newest_first else 1) for field in order]
    cursor = collection.find(where | rest, sort=sort, skip=page.offset, limit=page.rows(0))
    rows = await cursor.to_list()
    return rows, known_total(rows, page) or Total(await collection.count_documents(where))


def beyond_cursor(fields: Sequence[str], cursor: Cursor, *, newest_first: bool) -> Document:
    """Return the condition for what comes after a cursor in the order of its fields."""
    beyond = "$lt" if newest_first else "$gt"
    return {
        "$or": [
            dict(zip(fields[:place], cursor[:place], strict=True)) | {fields[place]: {beyond: cursor[place]}}
            for place in range(len(fields))
        ]
    }
