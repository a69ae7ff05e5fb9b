"""Pages of an ordered result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.pages import Total, known_total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Cursor, Page


async def read_page(
    collection: Collection, where: Document, fields: Sequence[str], order: Mapping[str, int], page: Page
) -> tuple[Sequence[Document], Total]:
    """Return some fields of the documents of a page, and of one more, in an order; and how many match."""
    newest_first = -1 in order.values()
    rest = {} if page.after is None else beyond_cursor([*order], page.after, newest_first=newest_first)
    cursor = collection.find(
        where | rest, fields, sort=[*order.items()], skip=page.offset, limit=page.rows(0)
    )
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
