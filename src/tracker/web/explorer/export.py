"""The events of a query as a file: CSV for tables, NDJSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id, event_time, metadata_of
from tracker.domain.query.fields import named
from tracker.domain.times import duration_micros
from tracker.pb.options import name_if_set
from tracker.time_text import MICROS, moment_text
from tracker.web.event_rows import cell
from tracker.web.explorer.state import COLUMNS, period_of, state_of
from tracker.web.searches import search_all
from tracker.web.spreadsheets import csv_of, download

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.http_exchange import HttpResponse
    from tracker.pb import event_pb
    from tracker.web.explorer.state import State
    from tracker.web.visit import Visit

MOST: Final = 10_000
"""Events of a file."""


class Export:
    """Answers with a file of the events that the Explorer shows at the same parameters."""

    def __init__(self, kind: str) -> None:
        self.path = f"/events.{kind}"
        self._is_csv = kind == "csv"

    async def show(self, visit: Visit) -> HttpResponse:
        """Return the file."""
        state = state_of(visit)
        visit.refuse_ignored()
        events = await _events(visit, state)
        body = _as_csv(events, state) if self._is_csv else _as_ndjson(events)
        media_type = "text/csv; charset=utf-8" if self._is_csv else "application/x-ndjson"
        return download(body, media_type, self.path.removeprefix("/"))


async def _events(visit: Visit, state: State) -> list[event_pb.Event]:
    dates, order = period_of(state, visit.clock).dates, "time" if state.oldest_first else ""
    events, _ = await search_all(visit, state.query, MOST, order_by=order, time_zone=visit.zone, **dates)
    return events


def _as_ndjson(events: Sequence[event_pb.Event]) -> bytes:
    return b"".join(event.to_json().encode() + b"\n" for event in events)


def _as_csv(events: Sequence[event_pb.Event], state: State) -> bytes:
    columns = tuple(
        dict.fromkeys((*state.columns, *(each for each in COLUMNS if each not in {"id", "status"})))
    )
    fields = [named(name) for name in columns]
    rows = []
    for event in events:
        status, took = attributes_of(event).status, metadata_of(event).elapsed
        rows.append(
            [
                moment_text(event_time(event)),
                name_if_set(status),
                event.title,
                "" if took is None else f"{duration_micros(took) / MICROS:g}",
                *(cell(event, field) if field else "" for field in fields),
                event_id(event),
            ]
        )
    return csv_of(["time", "status", "title", "duration_seconds", *columns, "id"], rows)
