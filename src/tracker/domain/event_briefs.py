"""What rules about many deployments need of each, read from the document of an event."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracker.domain.overlaps import end_of
from tracker.pb import event_pb
from tracker.time_text import MICROS, micros_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUSES: Final[Mapping[Any, event_pb.Status]] = {each.name: each for each in event_pb.Status}
_ENVIRONMENTS: Final[Mapping[Any, event_pb.Environment]] = {each.name: each for each in event_pb.Environment}
_NOTHING: Final[Mapping[str, Any]] = {}


class EventBrief(NamedTuple):
    """An event without its texts, links and changelog.

    Times are in microseconds since the epoch, `elapsed` is in microseconds; `end` is the end date. Both are
    None where the event has none.
    """

    id: str
    title: str
    time: int
    end: int | None
    elapsed: int | None
    status: event_pb.Status
    service: str
    environment: event_pb.Environment
    region: str
    cluster: str
    version: str
    owner: str
    created_by: str
    related_id: str
    labels: Mapping[str, str]

    def over(self, now: int) -> int:
        """Return when it was over, or `now` if it is under way; see `overlaps.timed_event`."""
        return end_of(self.time, self.end, self.elapsed, self.status, now)


def brief_cursor(brief: EventBrief) -> tuple[int, str]:
    """Return where an event stands in a list of events."""
    return brief.time, brief.id


def brief_of(id_: str, event: Mapping[str, Any]) -> EventBrief:
    """Return what a ProtoJSON value says of the event of an id.

    Raises:
        ValueError, TypeError, AttributeError: It is not that of an event.
    """
    attributes, metadata = event.get("attributes") or _NOTHING, event.get("metadata") or _NOTHING
    text = attributes.get
    begun, ended = text("startDate") or metadata.get("createdAt"), text("endDate")
    elapsed, status, environment = metadata.get("elapsed"), text("status"), text("environment")
    return EventBrief(
        id_,
        event.get("title", ""),
        0 if begun is None else _moment(begun),
        None if ended is None else _moment(ended),
        None if elapsed is None else _length(elapsed),
        _STATUSES.get(status) or event_pb.Status(_number(status)),
        text("service", ""),
        _ENVIRONMENTS.get(environment) or event_pb.Environment(_number(environment)),
        text("region", ""),
        text("cluster", ""),
        text("version", ""),
        text("owner", ""),
        metadata.get("createdBy", ""),
        text("relatedId", ""),
        text("labels") or _NOTHING,
    )


def _number(choice: str | int | None) -> int:
    """Return the number of a choice without a name that is known; that of none for an unknown name."""
    return choice if isinstance(choice, int) else 0


def _moment(text: str) -> int:
    return micros_of(datetime.fromisoformat(text))


def _length(text: str) -> int:
    seconds, _, fraction = text.removesuffix("s").partition(".")
    return int(seconds) * MICROS + int(f"{fraction:0<6.6}")
