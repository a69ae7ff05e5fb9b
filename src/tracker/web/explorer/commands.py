"""The same query elsewhere: as links, for `curl`, and for `tracker`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from tracker.time_text import moment_text
from tracker.web.visit import address

if TYPE_CHECKING:
    from tracker.web.explorer.state import Period, State


class Copies(NamedTuple):
    """What a reader may copy; the addresses have no host, which only the browser knows."""

    link: str
    fixed_link: str
    api: str
    tracker: str


def copies(state: State, period: Period) -> Copies:
    """Return what asks for the events of a state."""
    since, until = moment_text(period.since), moment_text(period.until)
    query = f"({state.query})" if " OR " in state.query else state.query
    bounds = [] if state.since == "all" else [f"since:{since if ' ' in state.since else state.since}"]
    bounds += [f"before:{until}"] if state.until else []
    dates = period.dates
    bounds_of_api = [("start_date", dates["start_date"]), ("end_date", dates["end_date"])]
    asked = [("query", state.query), *bounds_of_api, ("per_page", "100")]
    return Copies(
        state.address(),
        state.address(since=since, until=until),
        address("/api/v1alpha1/events/search", [(name, value) for name, value in asked if value]),
        f"tracker event search {shlex.quote(' '.join(filter(None, [query, *bounds])))}",
    )
