"""Rules of freeze windows: what they are for, and when they are in effect."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf import enum_is_unknown

from tracker.domain.access import Scope
from tracker.domain.environments import environment_name
from tracker.domain.recurrence import LONGEST_DAYS, Length, read_length, read_rule, starts
from tracker.domain.times import micros, timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import freeze_pb
from tracker.time_text import DAY, LATEST, datetime_of, local_time, read_date, read_zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from tracker.domain.access import Principal
    from tracker.domain.scopes import Subject

    Described = freeze_pb.CreateFreezeWindowRequest | freeze_pb.UpdateFreezeWindowRequest

_AHEAD: Final = 10 * 366 * DAY
"""How far ahead the next time is looked for: that of February 29 is up to 8 years away."""
_LAST: Final = LATEST - 2 * 366 * DAY
"""Until when windows repeat: the last one ends within the calendar."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_Type = freeze_pb.FreezeType
_ScopeType = freeze_pb.FreezeScopeType


class Occurrence(NamedTuple):
    """One time at which a freeze window is in effect, in microseconds since the epoch; `end` is outside."""

    start: int
    end: int
    window: freeze_pb.FreezeWindow

    @property
    def is_hard(self) -> bool:
        """Whether nothing may be deployed."""
        return self.window.type is _Type.HARD


def new_freeze(
    request: freeze_pb.CreateFreezeWindowRequest, *, window_id: str, now: int, principal: Principal
) -> freeze_pb.FreezeWindow:
    """Return the freeze window that a request describes.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is wrong.
    """
    window = freeze_pb.FreezeWindow(id=window_id, created_at=timestamp(now), updated_at=timestamp(now))
    window.created_by = request.created_by if principal.is_anonymous else principal.name
    return _described(window, request)


def updated_freeze(
    stored: freeze_pb.FreezeWindow, request: freeze_pb.UpdateFreezeWindowRequest, now: int
) -> freeze_pb.FreezeWindow:
    """Return what a request makes of a freeze window; who created it stays.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is wrong.
    """
    window = freeze_pb.FreezeWindow(id=stored.id, created_at=stored.created_at, updated_at=timestamp(now))
    window.created_by = stored.created_by or request.created_by
    return _described(window, request)


def first_start(window: freeze_pb.FreezeWindow) -> int:
    """Return when a freeze window begins for the first time, in microseconds since the epoch."""
    return 0 if window.starts_at is None else micros(window.starts_at)


def occurrences(window: freeze_pb.FreezeWindow, since: int, until: int) -> Iterator[Occurrence]:
    """Yield when a freeze window is in effect within a period, whether it is on or not."""
    start = first_start(window)
    end = start if window.ends_at is None else micros(window.ends_at)
    if not window.rrule:
        if start < until and end > since:
            yield Occurrence(start, end, window)
        return
    zone = _zone(window)
    first, length = datetime_of(start).astimezone(zone), _length(window)
    rule = read_rule(window.rrule, first)
    excepted = [_excepted(each, zone) for each in window.exceptions]
    longest = timedelta(days=length.days + length.micros // DAY + 2)
    low = local_time(max(since, start), zone).date() - longest
    high = local_time(min(max(until, start), _LAST), zone).date()
    for begin, local in starts(rule, first, low, high):
        stop = length.end(begin, local)
        if begin < until and stop > since and not any(low <= begin < end for low, end in excepted):
            yield Occurrence(begin, stop, window)


def repetitions(window: freeze_pb.FreezeWindow, texts: Sequence[str]) -> list[int]:
    """Return when a window that repeats would begin at the dates of some texts, if it had no exceptions."""
    zone, found = _zone(window), list[int]()
    first = datetime_of(first_start(window)).astimezone(zone)
    rule = read_rule(window.rrule, first)
    for low, end in (_excepted(each, zone) for each in texts):
        since, until = (datetime_of(each).astimezone(zone).date() for each in (low, max(low, end - 1)))
        found += [begin for begin, _ in starts(rule, first, since, until) if low <= begin < end]
    return sorted(set(found))


def next_occurrence(window: freeze_pb.FreezeWindow, now: int) -> Occurrence | None:
    """Return when a freeze window is in effect at `now`, or else next, whether it is on or not."""
    return next(occurrences(window, now, now + _AHEAD), None)


def in_effect(
    windows: Iterable[freeze_pb.FreezeWindow], since: int, until: int, subject: Subject | None = None
) -> list[Occurrence]:
    """Return when windows that are on are in effect within a period, by their begin.

    With a `subject`, only those that are for it.
    """
    found = [
        each
        for window in windows
        if window.active and (subject is None or is_for(window, subject))
        for each in occurrences(window, since, until)
    ]
    return sorted(found, key=lambda each: (each.start, each.end, each.window.id))


def frozen_until(occurrences_: Iterable[Occurrence], now: int) -> int:
    """Return until when hard windows freeze without a pause from `now` on; `now` if none does.

    `occurrences_` are in the order of their begin.
    """
    end = now
    for each in occurrences_:
        if each.start > end:
            break
        if each.is_hard:
            end = max(end, each.end)
    return end


def scopes_of(window: freeze_pb.FreezeWindow) -> tuple[Scope, Scope]:
    """Return what a freeze window is for, as the Go implementation says it, and by patterns: both apply."""
    ids = tuple(window.scope_ids)
    match window.scope_type:
        case _ScopeType.FREEZE_SCOPE_ENVIRONMENT:
            listed = Scope(environments=ids)
        case _ScopeType.FREEZE_SCOPE_SERVICE:
            listed = Scope(services=ids)
        case _ScopeType.FREEZE_SCOPE_DOMAIN:
            listed = Scope(teams=ids)
        case _:
            listed = Scope()
    return listed, Scope(tuple(window.services), tuple(window.environments), tuple(window.teams))


def is_for(window: freeze_pb.FreezeWindow, subject: Subject, *, any_unnamed: bool = False) -> bool:
    """Return whether a freeze window is for a service in an environment, which belongs to a team.

    What the subject does not name is nothing, or with `any_unnamed` anything.
    """
    for scope in scopes_of(window):
        if any_unnamed:
            pairs = zip(subject, (scope.services, scope.environments, scope.teams), strict=True)
            scope = Scope(*(patterns if value else () for value, patterns in pairs))  # noqa: PLW2901 - less of it
        if not scope.covers(*subject):
            return False
    return True


def shown_freeze(window: freeze_pb.FreezeWindow, now: int) -> freeze_pb.FreezeWindow:
    """Return a freeze window as it is answered: with when it is in effect next."""
    found = next_occurrence(window, now)
    if found is None:
        return window
    window = copy.copy(window)
    window.next_starts_at, window.next_ends_at = timestamp(found.start), timestamp(found.end)
    window.in_effect = window.active and found.start <= now
    return window


def shown_occurrence(occurrence: Occurrence) -> freeze_pb.FreezeOccurrence:
    """Return the message of an occurrence."""
    return freeze_pb.FreezeOccurrence(
        freeze_window=occurrence.window,
        starts_at=timestamp(occurrence.start),
        ends_at=timestamp(occurrence.end),
    )


def _described(window: freeze_pb.FreezeWindow, request: Described) -> freeze_pb.FreezeWindow:
    """Return a window with what a request says; what repeats has the duration of its first time.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is wrong.
    """
    for name in ("title", "description", "type", "active", "uid", "exceptions"):
        setattr(window, name, getattr(request, name))
    if enum_is_unknown(request.type):
        raise invalid(FieldViolation("type", "expected FREEZE_TYPE_HARD or FREEZE_TYPE_SOFT"))
    window.timezone = request.timezone or "UTC"
    window.rrule = request.rrule.strip().upper().removeprefix("RRULE:")
    window.duration = request.duration.strip().upper()
    _describe_scope(window, request)
    zone = read_zone(window.timezone)
    if zone is None:
        expected = f"expected a time zone such as Europe/Paris, got {window.timezone!r}"
        raise invalid(FieldViolation("timezone", expected))
    for place, each in enumerate(window.exceptions):
        if read_date(each, zone) is None:
            expected = f"expected a date such as 2026-12-25 or 2026-12-25T18:00:00Z, got {each!r}"
            raise invalid(FieldViolation(f"exceptions[{place}]", expected))
    _describe_times(window, request, zone)
    return window


def _describe_scope(window: freeze_pb.FreezeWindow, request: Described) -> None:
    if enum_is_unknown(request.scope_type):
        raise invalid(FieldViolation("scope_type", "expected one of global, environment, service, domain"))
    window.scope_type = request.scope_type or _ScopeType.FREEZE_SCOPE_GLOBAL
    is_global = window.scope_type is _ScopeType.FREEZE_SCOPE_GLOBAL
    if is_global == bool(request.scope_ids):
        said = "none where scope_type is global" if is_global else "at least one, of which scope_type says"
        raise invalid(FieldViolation("scope_ids", f"expected {said}"))
    environments = window.scope_type is _ScopeType.FREEZE_SCOPE_ENVIRONMENT
    window.scope_ids = [environment_name(each) if environments else each for each in request.scope_ids]
    window.environments = [environment_name(each) for each in request.environments]
    window.services, window.teams = [*request.services], [*request.teams]


def _describe_times(window: freeze_pb.FreezeWindow, request: Described, zone: ZoneInfo) -> None:
    window.starts_at = request.starts_at
    start = first_start(window)
    first = datetime_of(start).astimezone(zone)
    length = read_length(window.duration) if window.duration else None
    if window.duration and length is None:
        raise invalid(FieldViolation("duration", f"expected PT8H or P2DT16H, got {window.duration!r}"))
    if length is None and request.ends_at is None:
        raise invalid(FieldViolation("ends_at", "ends_at is required, or duration"))
    try:
        end = micros(request.ends_at) if length is None and request.ends_at else 0
        end = length.end(start, first) if length is not None else end
        years = {datetime_of(each).year for each in (start, end)}
    except (OverflowError, ValueError):
        years = {_LAST_YEAR + 1}
    if not all(_FIRST_YEAR <= each <= _LAST_YEAR for each in years):
        raise invalid(FieldViolation("starts_at", f"expected times of {_FIRST_YEAR} to {_LAST_YEAR}"))
    if end <= start:
        raise invalid(FieldViolation("ends_at", "expected a time after starts_at"))
    if length is not None and request.ends_at is not None and micros(request.ends_at) != end:
        raise invalid(FieldViolation("ends_at", "expected either ends_at or duration, or both for one end"))
    window.ends_at = timestamp(end)
    if not window.rrule:
        return
    if end - start > LONGEST_DAYS * DAY:
        raise invalid(FieldViolation("ends_at", f"what repeats lasts at most {LONGEST_DAYS} days"))
    try:
        read_rule(window.rrule, first)
    except ValueError as error:
        raise invalid(FieldViolation("rrule", str(error))) from None


def _zone(window: freeze_pb.FreezeWindow) -> ZoneInfo:
    zone = read_zone(window.timezone)
    if zone is None:  # one that this machine does not know any more
        raise invalid(FieldViolation("timezone", f"unknown: {window.timezone}"))
    return zone


def _length(window: freeze_pb.FreezeWindow) -> Length:
    length = read_length(window.duration) if window.duration else None
    if length is None:
        end = 0 if window.ends_at is None else micros(window.ends_at)
        length = Length(0, end - first_start(window))
    return length


def _excepted(text: str, zone: ZoneInfo) -> tuple[int, int]:
    found = read_date(text, zone)
    return (0, 0) if found is None else found.interval
