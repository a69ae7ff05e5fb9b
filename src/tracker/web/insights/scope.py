"""What the address of Insights says, and the addresses of the events that its numbers count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracker.domain.query.fields import FACETS, named
from tracker.errors import FieldViolation, invalid
from tracker.time_text import EARLIEST, moment_text
from tracker.web.explorer import state as explorer
from tracker.web.explorer.page import earliest
from tracker.web.page_state import PageState
from tracker.web.query_terms import with_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.visit import Visit

PATH: Final = "/insights"
FIELDS: Final = tuple(field.name for field in FACETS)
"""Fields to count by; labels are others, such as `label.team`."""
_RANGE: Final = "30d"
_BY: Final = "status"


@dataclass(frozen=True, slots=True)
class State(PageState):
    """A query, a period as the reader wrote it, and the field to count by."""

    path = PATH

    query: str = ""
    since: str = _RANGE
    until: str = ""
    zone: str = ""
    by: str = _BY

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return [
            ("q", self.query),
            ("from", "" if self.since == _RANGE else self.since),
            ("to", self.until),
            ("zone", self.zone),
            ("by", "" if self.by == _BY else self.by),
        ]


@dataclass(frozen=True, slots=True)
class Scope:
    """The events that a page is about: those that a query finds in a period."""

    state: State
    period: explorer.Period

    @property
    def bounds(self) -> tuple[int, int]:
        """Where the period begins and ends."""
        return self.period.since, self.period.until

    @property
    def before(self) -> Scope | None:
        """The same events in the period of the same length before; None before all time."""
        if self.state.since == "all":
            return None
        since, until = self.bounds
        return replace(self, period=explorer.Period(2 * since - until, since))

    def query(self, *terms: str) -> str:
        """Return the query for those of the events that have all of these terms."""
        return with_terms(self.state.query, *terms)

    def events(self, *terms: str, since: int | None = None, until: int | None = None) -> str:
        """Return the address of these very events in the Explorer, of an interval if one is given."""
        low = max(self.period.since, self.period.since if since is None else since)
        high = self.period.until if until is None else min(until, self.period.until)
        return self.between(moment_text(low), moment_text(high), *terms)

    def between(self, since: str, until: str, *terms: str) -> str:
        """Return the address of the events between two moments of the period."""
        return explorer.State(self.query(*terms), since, until, self.state.zone).address()


def state_of(visit: Visit) -> State:
    """Return what the address of a visit says."""
    by = visit.one("by") or _BY
    field = named(by)
    known = by if field is None else field.name
    return State(visit.one("q"), visit.one("from") or _RANGE, visit.one("to"), visit.asked_zone, known)


async def scope_of(visit: Visit, state: State) -> Scope:
    """Return the events that a state is about; all time begins with the first of them.

    Raises:
        TrackerError: INVALID_ARGUMENT; the state names no period, or counts by something that events can't be
            counted by. As `SearchEvents`.
    """
    field = named(state.by)
    if field is None or not field.facet:
        expected = f"expected one of {', '.join(FIELDS)} or label.NAME"
        raise invalid(FieldViolation("by", f"{expected}, got {state.by!r}"))
    period = explorer.period_of(explorer.State(state.query, state.since, state.until), visit.clock)
    if period.since == EARLIEST:
        since = await earliest(visit, state.query, period)
        period = explorer.Period(since, period.until)
    return Scope(state, period)
