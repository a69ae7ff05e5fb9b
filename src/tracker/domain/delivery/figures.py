"""A number, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.delivery.facts import reasons
from tracker.pb import delivery_pb
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.domain.delivery.facts import Facts, Sample

Band: Final = delivery_pb.Band
UNKNOWN: Final = Band.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Level:
    """Where a number stands: in the method's words, and as one of DORA's bands if it has them."""

    words: str = ""
    band: delivery_pb.Band = UNKNOWN


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, None if there is no data and `no_data` says why.

    `counted` and `among` are how many events it counts, of how many; `gaps` say what is not known of others.
    """

    value: float | None
    unit: str
    level: Level = Level()
    counted: int = 0
    among: int = 0
    no_data: str = ""
    gaps: Sequence[str] = ()


def first_below(value: float, levels: Sequence[tuple[float, Level]], last: Level) -> Level:
    """Return the first level whose bound is above a value, or else the last one."""
    return next((level for bound, level in levels if value < bound), last)


def first_within(value: float, levels: Sequence[tuple[float, Level]], last: Level) -> Level:
    """Return the first level whose bound is not below a value, or else the last one."""
    return next((level for bound, level in levels if value <= bound), last)


def duration_figure(  # noqa: PLR0913 - what is counted, and how
    samples: Sequence[Sample],
    median: Callable[[Sequence[float]], float],
    unit: int,
    level: Callable[[float], Level],
    no_data: str,
    *,
    of: str,
) -> Figure:
    """Return the median of durations, which are whole numbers of `unit` microseconds.

    `level` is given that number.
    """
    values = [each.value // unit for each in samples if each.value is not None]
    gaps = [f"{why} for {number:,} of {len(samples):,} {of}" for why, number in reasons(samples).items()]
    if not values:
        return Figure(None, "seconds", among=len(samples), no_data=no_data, gaps=gaps)
    middle = median(values)
    return Figure(middle * unit / MICROS, "seconds", level(middle), len(values), len(samples), gaps=gaps)


def share_figure(counted: float, among: int, level: Callable[[float], Level], no_data: str) -> Figure:
    """Return a share of deployments."""
    if not among:
        return Figure(None, "share", no_data=no_data)
    share = counted / among
    return Figure(share, "share", level(share), round(counted), among)


def rework_figure(found: Facts) -> Figure:
    """Return the share of deployments that were rework, each counted once."""
    rework = {each.id for each in found.rework}
    return share_figure(len(rework), len(found.deployments), lambda _: Level(), "no deployment")
