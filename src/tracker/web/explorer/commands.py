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


def same_search(query: str, period: Period, since: str, until: str) -> tuple[str, str]:
    """Return what asks for the events of a query and a period: a path of the API, and a command.

    `since` and `until` are the bounds that the command has, "" for none.
    """
    asked = [("query", query), *period.dates.items(), ("per_page", "100")]
    path = address("/api/v1alpha1/events/search", [(name, str(value)) for name, value in asked if value])
    query = f"({query})" if " OR " in query else query
    terms = [query, since and f"since:{since}", until and f"before:{until}"]
    return path, f"tracker event search {shlex.quote(' '.join(filter(None, terms)))}"


def copies(state: State, period: Period) -> Copies:
    """Return what asks for the events of a state."""
    since, until = moment_text(period.since), moment_text(period.until)
    begins = "" if state.since == "all" else since if " " in state.since else state.since
    same = same_search(state.query, period, begins, until if state.until else "")
    return Copies(state.address(), state.address(since=since, until=until), *same)
