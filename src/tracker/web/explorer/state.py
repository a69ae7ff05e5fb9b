"""What the address of the Explorer says; nothing else decides what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypedDict

from tracker.domain.query.fields import BY_NAME, FACETS, named
from tracker.errors import FieldViolation, invalid, nearest
from tracker.time_text import EARLIEST, MICROS, MINUTE, moment_text
from tracker.web.page_state import PageState
from tracker.web.times import read_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.time_text import Clock
    from tracker.web.visit import Visit

PATH: Final = "/events"
RANGES: Final = (
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("all", "all time"),
)
"""The periods that end now, as in addresses and for people."""
COLUMNS: Final = (*(field.name for field in FACETS), "external_id", "id", "message")
DEFAULT_COLUMNS: Final = ("service", "environment", "version", "owner")
DEFAULT_RANGE: Final = "7d"
_MOST_COLUMNS: Final = 12
_MOMENT: Final = MINUTE
"""The longest interval that stands for its beginning where a period ends: a minute, not a day."""


@dataclass(frozen=True, slots=True)
class State(PageState):
    """A query, a period, and how its events are shown.

    `since` and `until` are as the reader wrote them: `7d`, `yesterday`, `2026-01-31T12:00Z`.
    """

    path = PATH
    usual = (("from", DEFAULT_RANGE),)

    query: str = ""
    since: str = DEFAULT_RANGE
    until: str = ""
    zone: str = ""
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    oldest_first: bool = False
    page: str = ""
    open: str = ""
    live: bool = False

    def filtered(self, **changes: Any) -> str:  # noqa: ANN401 - values of the fields
        """Return the address of another list, at its beginning."""
        return self.address(**{"page": "", "open": "", **changes})

    def leading(self, name: str, **changes: Any) -> str:  # noqa: ANN401 - the same
        """Return the address of another list, up to the value of one more parameter."""
        here = self.filtered(**changes)
        return f"{here}{'&' if '?' in here else '?'}{name}="

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return [
            ("q", self.query),
            ("from", "" if self.since == DEFAULT_RANGE else self.since),
            ("to", self.until),
            ("zone", self.zone),
            ("cols", "" if self.columns == DEFAULT_COLUMNS else ",".join(self.columns)),
            ("sort", "time" if self.oldest_first else ""),
            ("page", self.page),
            ("event", self.open),
            ("live", "1" if self.live else ""),
        ]


def state_of(visit: Visit) -> State:
    """Return what the address of a visit says."""
    asked = visit.several("cols")
    columns = tuple(name for name in asked if named(name) is not None)
    if wrong := next((name for name in asked if name not in columns), ""):
        visit.ignore("cols", "fields of events", wrong, nearest(wrong, BY_NAME))
    elif len(columns) > _MOST_COLUMNS:
        visit.ignore("cols", f"at most {_MOST_COLUMNS} fields", len(columns))
    return State(
        query=visit.one("q"),
        since=visit.one("from") or DEFAULT_RANGE,
        until=visit.one("to"),
        zone=visit.asked_zone,
        columns=columns[:_MOST_COLUMNS] or DEFAULT_COLUMNS,
        oldest_first=bool(visit.choice("sort", ("time",))),
        page=visit.one("page"),
        open=visit.one("event"),
        live=visit.choice("live", ("0", "1")) == "1",
    )


class Dates(TypedDict):
    """The fields of a request that bound a period; "" is no bound."""

    start_date: str
    end_date: str


@dataclass(frozen=True, slots=True)
class Period:
    """The moments from `since` up to, but not including, `until`: whole seconds, in microseconds."""

    since: int
    until: int

    @property
    def dates(self) -> Dates:
        """The same as the dates of a request, of which the end is included."""
        since = "" if self.since == EARLIEST else moment_text(self.since)
        return {"start_date": since, "end_date": moment_text(self.until - MICROS)}


class Bounds(Protocol):
    """A beginning and an end as a reader wrote them; an end of "" is now."""

    @property
    def since(self) -> str:
        """Where the period begins."""

    @property
    def until(self) -> str:
        """Where it ends."""


def period_of(state: Bounds, clock: Clock) -> Period:
    """Return the period that a state names.

    Raises:
        TrackerError: INVALID_ARGUMENT; it names none.
    """
    since = EARLIEST if state.since == "all" else read_time(clock, "from", state.since).low
    until = clock.now + MICROS
    if state.until:
        named_end = read_time(clock, "to", state.until)
        until = named_end.low if named_end.high - named_end.low <= _MOMENT else named_end.high
    period = Period(since - since % MICROS, until - until % MICROS)
    if period.until <= period.since:
        raise invalid(FieldViolation("to", "the period ends before it begins"))
    return period
