"""Freeze windows as pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import Timestamp

from tracker.domain.times import micros, timestamp
from tracker.pb import freeze_pb
from tracker.permissions import Permission
from tracker.web.tones import UNKNOWN, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from tracker.web.times import Times
    from tracker.web.visit import Visit

_READ: Final = Permission.FREEZE_READ
_LOOKS: Final = {
    freeze_pb.FreezeType.HARD: Label("hard", "bad", "lock"),
    freeze_pb.FreezeType.SOFT: Label("soft", "warn", "triangle"),
}
_NAMES: Final = 5
"""How many names of a kind are shown before the others are counted."""


class FreezeRow(NamedTuple):
    """A freeze window, and a time at which it is in effect; `until` is empty where there is none any more."""

    id: str
    title: str
    look: Label
    state: str
    since: Markup
    until: Markup
    repeats: str
    subject: str


async def occurrences(visit: Visit, since: int, until: int) -> Sequence[freeze_pb.FreezeOccurrence]:
    """Return when freeze windows are in effect within a period; none to readers who may not see them.

    Raises:
        TrackerError: As ListFreezeOccurrences does.
    """
    if not visit.call.principal.may(_READ):
        return ()
    request = freeze_pb.ListFreezeOccurrencesRequest(since=timestamp(since), until=timestamp(until))
    return (await visit.ask(request, freeze_pb.ListFreezeOccurrencesResponse)).occurrences


def window_row(window: freeze_pb.FreezeWindow, times: Times) -> FreezeRow:
    """Return a freeze window with when it is in effect now, or next, or was."""
    since, until = window.next_starts_at or window.starts_at, window.next_ends_at or window.ends_at
    if not window.active:
        state = "off"
    elif window.in_effect:
        state = "in effect"
    else:
        state = "to come" if window.next_starts_at else "over"
    return _row(window, times, state, since, until)


def occurrence_row(occurrence: freeze_pb.FreezeOccurrence, times: Times) -> FreezeRow:
    """Return one time at which a freeze window is in effect."""
    since, until = bounds_of(occurrence)
    state = "in effect" if since <= times.now < until else "to come" if since > times.now else "over"
    window = occurrence.freeze_window or freeze_pb.FreezeWindow()
    return _row(window, times, state, occurrence.starts_at, occurrence.ends_at)


def bounds_of(occurrence: freeze_pb.FreezeOccurrence) -> tuple[int, int]:
    """Return when an occurrence begins and ends, in microseconds since the epoch."""
    since, until = (each or Timestamp() for each in (occurrence.starts_at, occurrence.ends_at))
    return micros(since), micros(until)


def subject_text(window: freeze_pb.FreezeWindow) -> str:
    """Return what a freeze window is for, with the first names of each kind."""
    kinds = (window.scope_ids, window.services, window.environments, window.teams)
    return " · ".join(_brief(each) for each in kinds if each) or "everything"


def _brief(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def look_of(window: freeze_pb.FreezeWindow) -> Label:
    """Return how a freeze window looks."""
    return _LOOKS.get(window.type, UNKNOWN)


def _row(
    window: freeze_pb.FreezeWindow, times: Times, state: str, since: Timestamp | None, until: Timestamp | None
) -> FreezeRow:
    return FreezeRow(
        id=window.id,
        title=window.title,
        look=look_of(window),
        state=state,
        since=times.tag(since),
        until=times.tag(until),
        repeats=window.rrule,
        subject=subject_text(window),
    )
