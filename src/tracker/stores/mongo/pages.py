"""Pages of an ordered result."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracker.stores.documents import read_list
from tracker.stores.pages import Page, Reading, Total, known_total

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pymongo.asynchronous.cursor import AsyncCursor

    from tracker.stores.documents import M, T
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Cursor, Page


_AT_ONCE = 100
"""Records that are read at once, some milliseconds of the event loop."""

IN_A_BATCH = 1_000
"""Records that one answer of the database has at most, so that most pages take one."""


def stored(row: Document) -> tuple[str, str]:
    """Return the name and the document of a record."""
    return row["_id"], row["document"]


async def read_rows(
    reading: Reading[T],
    rows: AsyncCursor[Document],
    read: Callable[[str, str], T],
    stored: Callable[[Document], tuple[str, str]] = stored,
) -> None:
    """Read the records of a cursor that belong to a page; see `documents.READ`."""
    async with rows.batch_size(IN_A_BATCH):
        while not reading.more and (some := await rows.to_list(_AT_ONCE)):
            if reading.records:
                await asyncio.sleep(0)
            reading.records += read_list(read, reading.within(map(stored, some)))


async def read_page(  # noqa: PLR0913, PLR0917 - what a page is read by
    collection: Collection,
    where: Document,
    order: Mapping[str, int],
    page: Page,
    read: Callable[[str, str], M],
    stored: Callable[[Document], tuple[str, str]] = stored,
    fields: Sequence[str] = ("document",),
) -> tuple[Reading[M], Total]:
    """Read the records of a page in an order, and how many match."""
    newest_first = -1 in order.values()
    rest = {} if page.after is None else beyond_cursor([*order], page.after, newest_first=newest_first)
    cursor = collection.find(
        where | rest, fields, sort=[*order.items()], skip=page.offset, limit=page.rows(0)
    )
    reading: Reading[M] = Reading(page)
    await read_rows(reading, cursor, read, stored)
    return reading, known_total(reading) or Total(await collection.count_documents(where))


def beyond_cursor(fields: Sequence[str], cursor: Cursor, *, newest_first: bool) -> Document:
    """Return the condition for what comes after a cursor in the order of its fields."""
    beyond = "$lt" if newest_first else "$gt"
    return {
        "$or": [
            dict(zip(fields[:place], cursor[:place], strict=True)) | {fields[place]: {beyond: cursor[place]}}
            for place in range(len(fields))
        ]
    }
