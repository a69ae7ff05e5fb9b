"""Freeze windows as bands behind the lanes of a Timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.freezes import is_for
from tracker.domain.scopes import Subject
from tracker.web.freezes.rows import bounds_of, look_of, subject_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.pb import freeze_pb
    from tracker.web.times import Times


class Band(NamedTuple):
    """A time at which a freeze window is in effect: `x` and `width` are percents of the width of a lane."""

    x: float
    width: float
    tone: str
    label: str


def bands_of(
    occurrences: Sequence[freeze_pb.FreezeOccurrence],
    by: str,
    name: str,
    place: Callable[[int], float],
    times: Times,
) -> tuple[Band, ...]:
    """Return the bands of a lane, which has the events of a service or an environment of this name."""
    subject = Subject(service=name) if by == "service" else Subject(environment=name)
    bands = []
    for each in occurrences:
        window = each.freeze_window
        if window is None or not is_for(window, subject, any_unnamed=True):
            continue
        start, end = bounds_of(each)
        x = place(start)
        when = f"{times.short(start)} to {times.short(end)}"
        label = f"{look_of(window).word} freeze for {subject_text(window)}: {window.title}, {when}"
        bands.append(Band(x, round(max(0.2, place(end) - x), 2), look_of(window).tone, label))
    return tuple(bands)
