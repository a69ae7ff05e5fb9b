"""Tables as files of CSV, which a spreadsheet opens without danger."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Final

from tracker.api.http_exchange import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet."""


def csv_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a table as CSV; an apostrophe precedes what a spreadsheet would take for a formula."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def download(body: bytes, media_type: str, name: str) -> HttpResponse:
    """Return the answer that a browser saves as a file."""
    disposition = ("content-disposition", f'attachment; filename="{name}"')
    return HttpResponse(body, [("content-type", media_type), disposition, ("cache-control", "no-store")])


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
