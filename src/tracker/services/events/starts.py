"""Whether work may begin: what freeze windows forbid, and who begins it all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain import changelog
from tracker.domain.deployments import WORK
from tracker.domain.event_locks import with_entries
from tracker.domain.events import RUNNING, attributes_of
from tracker.domain.freeze_scopes import visible_part
from tracker.domain.freezes import frozen_until, in_effect
from tracker.domain.scopes import subject_of
from tracker.errors import Reason, TrackerError
from tracker.permissions import Permission
from tracker.time_text import DAY, moment_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.pb import event_pb, freeze_pb
    from tracker.services.context import Call
    from tracker.stores.records import RecordStore

_AHEAD = 400 * DAY


@dataclass(frozen=True, slots=True)
class StartGuard:
    """Refuses work that begins in a hard freeze window, where that is `_enforced`."""

    _freezes: RecordStore[freeze_pb.FreezeWindow]
    _enforced: bool

    async def start(
        self, request: event_pb.CreateEventRequest | event_pb.UpdateEventRequest, call: Call, now: int
    ) -> Start:
        """Return a request as `guarded` takes it; one that reports what has begun elsewhere heeds nothing."""
        heeds = self._enforced and not call.observed
        return Start(request, call, now, await self._freezes.find() if heeds else ())


class Start(NamedTuple):
    """A request by which work may begin, who makes it and when, and the freeze windows that it heeds."""

    request: event_pb.CreateEventRequest | event_pb.UpdateEventRequest
    call: Call
    now: int
    windows: Sequence[freeze_pb.FreezeWindow]


def guarded(before: event_pb.Event, after: event_pb.Event, start: Start) -> event_pb.Event:
    """Return an event as it becomes; if a reason overrides what forbids it, its changelog says so.

    Raises:
        TrackerError: FAILED_PRECONDITION (`FREEZE_IN_EFFECT`); UNAUTHENTICATED or PERMISSION_DENIED where the
            caller may not override.
    """
    request, call, now, windows = start
    subject, reason = subject_of(after), request.override_reason.strip()
    if reason:
        call.require(Permission.DEPLOYMENT_OVERRIDE, *subject)
        return with_entries(after, [changelog.overridden(reason, request.who or changelog.SYSTEM, now)])
    if not windows or not _runs(after) or (_runs(before) and subject_of(before)[:2] == subject[:2]):
        return after
    occurrences = in_effect(windows, now, now + _AHEAD, subject)
    hard = next((each for each in occurrences if each.is_hard and each.start <= now), None)
    if hard is None:
        return after
    until = moment_text(frozen_until(occurrences, now))
    seen = visible_part(hard.window, call.principal.scopes(Permission.FREEZE_READ)) is not None
    name = f"the freeze window {hard.window.title!r}" if seen else "a freeze window"
    raise TrackerError(
        Reason.FREEZE_IN_EFFECT,
        f"nothing may be deployed until {until}: {name} is in effect",
        metadata={"until": until, "freeze_window_id": hard.window.id} if seen else {"until": until},
    )


def _runs(event: event_pb.Event) -> bool:
    attributes = attributes_of(event)
    return attributes.type in WORK and attributes.status in RUNNING
