"""The page Insights."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, Final

from tracker.errors import TrackerError
from tracker.time_text import moment_text
from tracker.web.explorer.page import fault_of
from tracker.web.explorer.state import RANGES
from tracker.web.insights.breakdown import breakdown_of, totals_of
from tracker.web.insights.over_time import (
    counts_of,
    durations_by,
    durations_of,
    interval_of,
    lengths_of,
)
from tracker.web.insights.scope import FIELDS, PATH, scope_of, state_of
from tracker.web.site import View
from tracker.web.visit import Part, address, part

if TYPE_CHECKING:
    from tracker.web.insights.breakdown import Totals
    from tracker.web.insights.over_time import Durations
    from tracker.web.insights.scope import Scope
    from tracker.web.visit import Visit


_LINES: Final = 5
"""Values whose durations are drawn."""


class Insights:
    """Shows how many events there were, how long they took and how they ended."""

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the page."""
        state = state_of(visit)
        template = "insights/main.html" if visit.choice("part", ("main",)) else "insights/page.html"
        try:
            scope = await scope_of(visit, state)
        except TrackerError as error:  # what was entered stays
            status = error.reason.http_status
            return View(template, status, state=state, error=error, ranges=RANGES, fields=FIELDS, span="")
        fields = dict.fromkeys(("service",) if state.by == "status" else (state.by, "service"))
        totals, before, counts, took, breakdowns = await asyncio.gather(
            part(totals_of(visit, scope)),
            part(_before(visit, scope)),
            part(counts_of(visit, scope)),
            part(lengths_of(visit, scope)),
            asyncio.gather(*(part(breakdown_of(visit, scope, field)) for field in fields)),
        )
        values = counts.value.columns[:_LINES] if counts.value is not None else ()
        durations: Part[Durations] = Part(None, took.error)
        by_value = durations
        if took.value is not None:
            durations = Part(durations_of(visit, scope, took.value))
            by_value = await part(durations_by(visit, scope, took.value, values))
        return View(
            template,
            state=state,
            error=None,
            fault=fault_of(state.query, totals.error),
            totals=totals,
            before=before.value,
            counts=counts,
            durations=durations,
            durations_by=by_value,
            breakdowns=tuple(zip(map(_title, fields), breakdowns, strict=True)),
            ranges=RANGES,
            fields=FIELDS,
            events=scope.events(),
            span=visit.times.span(scope.period.since, scope.period.until),
            link=_link(scope),
            api=_api(scope, visit),
            tracker=_command(scope),
        )


async def _before(visit: Visit, scope: Scope) -> Totals | None:
    """Return the numbers of the period of the same length before, where there is one."""
    return None if scope.before is None else await totals_of(visit, scope.before)


def _title(field: str) -> str:
    return "Busiest services" if field == "service" else f"Outcomes by {field.replace('_', ' ')}"


def _link(scope: Scope) -> str:
    period = scope.period
    return scope.state.address(since=moment_text(period.since), until=moment_text(period.until))


def _api(scope: Scope, visit: Visit) -> str:
    dates = scope.period.dates
    asked = [
        ("query", scope.state.query),
        ("by", scope.state.by),
        ("interval", interval_of(scope)),
        ("durations", "true"),
        ("time_zone", visit.zone),
        ("start_date", dates["start_date"]),
        ("end_date", dates["end_date"]),
    ]
    return address("/api/v1alpha1/events/histogram", [(name, value) for name, value in asked if value])


def _command(scope: Scope) -> str:
    period = scope.period
    query = scope.query(f"since:{moment_text(period.since)}", f"before:{moment_text(period.until)}")
    return f"tracker stats {shlex.quote(query)} --every {interval_of(scope)} --by {scope.state.by}"
