"""What the address of the Timeline says; nothing else decides what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.time_text import DAY, EARLIEST, LATEST, MICROS, moment_text
from tracker.web.explorer.state import Period, period_of
from tracker.web.page_state import PageState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.time_text import Clock
    from tracker.web.visit import Visit

PATH: Final = "/timeline"
RANGES: Final = (
    ("6h", "+2h", "6 hours"),
    ("24h", "+8h", "24 hours"),
    ("7d", "+2d", "7 days"),
    ("30d", "+7d", "30 days"),
    ("1d", "+14d", "next 2 weeks"),
)
"""The periods around now: their beginnings and ends as in addresses, and what people call them."""
LANES: Final = ("service", "environment")
"""The fields whose values may have a lane each."""
_USUAL: Final = RANGES[1][:2]
_SHORTEST: Final = 300 * MICROS
_LONGEST: Final = 2 * 366 * DAY


@dataclass(frozen=True, slots=True)
class State(PageState):
    """A query, a period, and what has a lane; `since` and `until` are as the reader wrote them."""

    path = PATH

    query: str = ""
    since: str = _USUAL[0]
    until: str = _USUAL[1]
    zone: str = ""
    by: str = LANES[0]
    every_lane: bool = False

    def _parameters(self) -> Sequence[tuple[str, str]]:
        usual = (self.since, self.until) == _USUAL
        return [
            ("q", self.query),
            ("from", "" if usual else self.since),
            ("to", "" if usual else self.until),
            ("zone", self.zone),
            ("by", "" if self.by == LANES[0] else self.by),
            ("lanes", "all" if self.every_lane else ""),
        ]

    def between(self, since: int, until: int) -> str:
        """Return the address of another period, which is cut to what has a calendar."""
        low, high = max(EARLIEST, since), min(LATEST - LATEST % MICROS, until)
        return self.address(since=moment_text(low - low % MICROS), until=moment_text(high - high % MICROS))


def state_of(visit: Visit) -> State:
    """Return what the address of a visit says."""
    since, until = visit.one("from"), visit.one("to")
    if not since:
        since, until = _USUAL[0], until or _USUAL[1]
    return State(
        visit.one("q"),
        since,
        until,
        visit.asked_zone,
        visit.choice("by", LANES, LANES[0]),
        bool(visit.choice("lanes", ("all",))),
    )


def shown_period(state: State, clock: Clock) -> Period:
    """Return the period that a state names, at least five minutes and at most two years of it.

    Raises:
        TrackerError: INVALID_ARGUMENT; it names none.
    """
    period = period_of(state, clock)
    return Period(min(max(period.since, period.until - _LONGEST), period.until - _SHORTEST), period.until)


@dataclass(frozen=True, slots=True)
class Moves:
    """The addresses of the periods around one."""

    earlier: str
    later: str
    closer: str
    wider: str


def moves(state: State, period: Period) -> Moves:
    """Return where the links for moving lead: half a period aside, and half or twice its length."""
    since, until = period.since, period.until
    half, quarter = (until - since) // 2, (until - since) // 4
    return Moves(
        state.between(since - half, until - half),
        state.between(since + half, until + half),
        state.between(since + quarter, until - quarter),
        state.between(since - half, until + half),
    )
