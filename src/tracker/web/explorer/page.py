"""The page of the Explorer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

from protobuf.wkt import UInt32Value

from tracker.api.http_exchange import HttpResponse
from tracker.domain.events import event_time
from tracker.domain.query.fields import named
from tracker.errors import Reason
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.time_text import DAY, EARLIEST, MICROS, moment_text
from tracker.web.charts import chart
from tracker.web.event_detail import event_detail
from tracker.web.event_rows import event_row
from tracker.web.explorer.commands import copies
from tracker.web.explorer.facets import facets_of
from tracker.web.explorer.selection import MOST, SELECTED, apply, confirm
from tracker.web.explorer.state import COLUMNS, DEFAULT_RANGE, PATH, RANGES, Period, period_of, state_of
from tracker.web.explorer.views import change_views, first_view, saved_views
from tracker.web.forms import Done
from tracker.web.searches import search
from tracker.web.site import View
from tracker.web.visit import Part, part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracker.errors import TrackerError
    from tracker.web.charts import Chart
    from tracker.web.event_rows import EventRow
    from tracker.web.explorer.state import State
    from tracker.web.visit import Visit

T = TypeVar("T")

PER_PAGE: Final = 100
PATIENCE: Final = 0.15
"""Seconds for which a page waits for counts once its list is there: the browser asks for what is late."""
_LONGEST: Final = 20 * 366 * DAY
"""The longest period that is drawn: beside one event of the year 1, no other bar could be seen."""
_TEMPLATES: Final = {
    "": "explorer/page.html",
    "main": "explorer/main.html",
    "facets": "explorer/facets.html",
    "chart": "explorer/chart.html",
}
"""Templates by the part of the page that is asked for; the browser's scripts ask for parts."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of the list; `newest` and `older` are the addresses of others, "" where there are none."""

    rows: tuple[EventRow, ...]
    total: int
    estimated: bool
    newest: str
    older: str


@dataclass(frozen=True, slots=True)
class QueryFault:
    """What is wrong with a query, and where: `wrong` is the word there, between the rest of its text."""

    message: str
    before: str
    wrong: str
    after: str


class Explorer:
    """Shows the events that a query finds, and saves views of them."""

    path = PATH

    async def show(self, visit: Visit) -> View | HttpResponse:
        """Show the page, or the one part of it that `part` asks for; without parameters, what is chosen."""
        if not visit.pairs and (first := await first_view(visit)):
            return HttpResponse(
                b"", [("location", first), ("cache-control", "no-store")], HTTPStatus.SEE_OTHER
            )
        state, asked = state_of(visit), visit.choice("part", _TEMPLATES)
        if visit.form.action == "apply" and visit.may(Permission.EVENT_WRITE):
            return await confirm(visit, state)  # refused: what was entered is there
        period = period_of(state, visit.clock)
        whole, main = not asked, asked == "main"
        facets = asyncio.ensure_future(
            _wanted(whole or asked == "facets", lambda: facets_of(visit, state, period))
        )
        bars = asyncio.ensure_future(_wanted(whole or asked == "chart", lambda: _chart(visit, state, period)))
        try:
            rows, detail, views = await asyncio.gather(
                _wanted(whole or main, lambda: _rows(visit, state, period)),
                _wanted(bool(state.open) and (whole or main), lambda: event_detail(visit, state.open)),
                _wanted(whole or main, lambda: saved_views(visit, state)),
            )
            patience = PATIENCE if whole and not visit.choice("wait", ("1",)) else None
            await asyncio.wait((facets, bars), timeout=patience)
        finally:
            facets.cancel()
            bars.cancel()
        return View(
            _TEMPLATES[asked],
            state=state,
            rows=rows,
            facets=_arrived(facets),
            chart=_arrived(bars),
            detail=detail,
            fault=fault_of(state.query, rows.error),
            ranges=RANGES,
            column_choices=COLUMNS,
            copies=copies(state, period),
            waiting=visit.here(PATH, wait="1"),
            span=_span(visit, state, period),
            views=views.value,
            most_selected=MOST,
            selected=SELECTED if visit.may(Permission.EVENT_WRITE) else "",
        )

    async def submit(self, visit: Visit) -> Done | View:
        """Save or delete a view, or change the events that are selected, once that is confirmed."""
        state, action = state_of(visit), visit.form.action
        if action.endswith("-view"):
            return Done(state.address(), await change_views(visit, state))
        return await (apply if action == "apply" else confirm)(visit, state)


async def _wanted(wanted: bool, ask: Callable[[], Awaitable[T]]) -> Part[T]:  # noqa: FBT001 - a condition
    return await part(ask()) if wanted else Part(None)


def _arrived(counts: asyncio.Future[Part[T]]) -> Part[T]:
    return Part(None, pending=True) if counts.cancelled() or not counts.done() else counts.result()


async def _rows(visit: Visit, state: State, period: Period) -> Rows:
    found = await search(
        visit,
        state.query,
        PER_PAGE,
        page_token=state.page,
        order_by="time" if state.oldest_first else "",
        time_zone=visit.zone,
        **period.dates,
    )
    # The pages that follow are those of the same period: one that ends now would be another list by then.
    since = "all" if period.since == EARLIEST else moment_text(period.since)
    older = state.filtered(
        page=found.next_page_token, since=since, until=moment_text(period.until), live=False
    )
    columns = [field for name in state.columns if (field := named(name)) is not None]
    return Rows(
        tuple(event_row(event, visit.times, columns) for event in found.events),
        found.total_count,
        bool(found.total_count_estimated),
        state.filtered() if state.page else "",
        older if found.next_page_token else "",
    )


async def _chart(visit: Visit, state: State, period: Period) -> Chart:
    since = period.since if period.since != EARLIEST else await earliest(visit, state.query, period)
    drawn = max(since, period.until - _LONGEST)
    note = f", drawn from {visit.times.minute(drawn)}" if drawn > since else ""
    since, period = drawn, Period(drawn, period.until)
    answer = await visit.ask(
        event_pb.GetEventHistogramRequest(
            query=state.query,
            by="status",
            limit=UInt32Value(value=20),
            time_zone=visit.zone,
            **period.dates,
        ),
        event_pb.GetEventHistogramResponse,
    )
    leading = state.leading("from", since=DEFAULT_RANGE, until="", live=False)
    bars = chart(answer, (since, period.until), visit.times, lambda low, high: f"{leading}{low}&to={high}")
    return replace(bars, note=note)


async def earliest(visit: Visit, query: str, period: Period) -> int:
    """Return when the first event of a query in a period began; shortly before its end if there is none."""
    found = await search(visit, query, 1, order_by="time", **period.dates)
    first = min((event_time(event) for event in found.events), default=period.until - MICROS)
    return first - first % MICROS


def fault_of(query: str, error: TrackerError | None) -> QueryFault | None:
    """Return what is wrong with a query, if an error is about it."""
    if error is None or error.reason is not Reason.INVALID_QUERY:
        return None
    column = int(error.metadata.get("column", "1")) - 1
    wrong, space, after = query[column:].partition(" ")
    message = error.message.removeprefix("query: ")
    return QueryFault(message[:1].upper() + message[1:], query[:column], wrong or " ", space + after)


def _span(visit: Visit, state: State, period: Period) -> str:
    """Return the period for people."""
    known = dict(RANGES).get(state.since)
    if known and not state.until:
        return "All time" if state.since == "all" else f"Last {known.removeprefix('1 ')}"
    if period.since == EARLIEST:
        return f"Until {visit.times.minute(period.until)}"
    return visit.times.span(period.since, period.until)
