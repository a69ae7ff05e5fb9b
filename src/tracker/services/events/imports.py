"""The RPC of the event service that imports events as they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from tracker.domain.event_locks import EventChange, with_entries
from tracker.domain.events import EventId, event_key, metadata_of
from tracker.domain.lifecycle import imported_changelog, imported_event, violation
from tracker.domain.times import micros
from tracker.errors import Reason, TrackerError, invalid
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.services.events.filters import event_not_found
from tracker.services.narrowing import may_touch, require_change, require_decisions, shown_taken
from tracker.stores.events import ExternalIdTakenError, SlackIdTakenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.pb import lock_pb
    from tracker.services.context import Call, Context
    from tracker.services.events.reporter import EventReporter
    from tracker.services.holds import LegalHolds
    from tracker.stores.events import Added, EventStore

_Outcome: TypeAlias = "Literal['stored', 'unchanged', 'replaced'] | event_pb.RefusedEvent"


class _UnchangedError(Exception):
    """The stored event is the same."""


class EventImports:
    """Answers the RPC of `tracker.event.v1alpha1.EventService` that imports events."""

    def __init__(
        self, store: EventStore, reporter: EventReporter, context: Context, holds: LegalHolds
    ) -> None:
        self._store = store
        self._reporter = reporter
        self._context = context
        self._holds = holds

    async def import_events(
        self, request: event_pb.ImportEventsRequest, call: Call
    ) -> event_pb.ImportEventsResponse:
        now = self._context.now()
        outcomes: dict[int, _Outcome] = {}
        new: dict[int, event_pb.Event] = {}
        continued: dict[int, event_pb.Event] = {}
        for index, event in enumerate(request.events):
            wrong = violation(event)
            if event.changelog_from and wrong is None:
                continued[index] = event
            elif wrong is not None:
                outcomes[index] = _refused(index, wrong.field, invalid(wrong))
            else:
                new[index] = imported_event(event, now, call.principal)
        for index, event in [*new.items()]:
            if (forbidden := _forbidden(index, event, call)) is not None:
                outcomes[index] = forbidden
                del new[index]
        for index, added in zip(new, await self._store.add([*new.values()]), strict=True):
            outcomes[index] = await self._outcome(index, added, call)
        if request.overwrite:
            known = [index for index, each in outcomes.items() if each == "unchanged"]
            outcomes |= await self._overwrite(known, new, request.events, call)
        for index, event in continued.items():  # of one event, in their order
            if (refused := await self._continue(index, event, call)) is not None:
                outcomes[index] = refused
        answer = _answer(outcomes)
        self._reporter.imported(answer, call)
        return answer

    async def _overwrite(
        self,
        known: Iterable[int],
        new: dict[int, event_pb.Event],
        given: Sequence[event_pb.Event],
        call: Call,
    ) -> dict[int, _Outcome]:
        """Replace the stored events of the same ids; several events with one id in their order."""
        by_id: dict[str, list[int]] = {}
        for index in known:
            by_id.setdefault(metadata_of(new[index]).id, []).append(index)

        async def replace_each(indexes: list[int]) -> list[tuple[int, _Outcome]]:
            return [(index, await self._replace(index, new[index], given[index], call)) for index in indexes]

        replaced = await asyncio.gather(*map(replace_each, by_id.values()))
        return dict(each for part in replaced for each in part)

    async def _replace(self, index: int, new: event_pb.Event, given: event_pb.Event, call: Call) -> _Outcome:
        """Replace the stored event of the same id, or add it where that has been deleted meanwhile."""
        event_id, holds = metadata_of(new).id, await self._holds.current()

        def change(stored: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            require_change(call, Permission.EVENT_WRITE, stored, partial(event_not_found, event_id))
            created = metadata_of(stored).created_at
            event = new if created is None else imported_event(given, micros(created), call.principal)
            if event == stored:
                raise _UnchangedError
            holds.require_kept(stored, event)
            return EventChange(event)

        while True:
            try:
                if await self._store.modify(EventId(event_id), change) is not None:
                    return "replaced"
            except _UnchangedError:
                return "unchanged"
            except (SlackIdTakenError, ExternalIdTakenError) as error:
                return await self._outcome(index, error, call)
            except TrackerError as error:
                if error.reason not in {
                    Reason.PERMISSION_REQUIRED,
                    Reason.EVENT_NOT_FOUND,
                    Reason.EVENT_HELD,
                }:
                    raise
                return _refused(index, "metadata.id", error)
            (added,) = await self._store.add([new])
            if added is not False:
                return await self._outcome(index, added, call)

    async def _continue(self, index: int, given: event_pb.Event, call: Call) -> event_pb.RefusedEvent | None:
        """Append the changelog entries that the stored event lacks.

        If that lacks earlier ones too, it is not the event of the same import, which leaves it as it is.
        """

        def append(stored: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            if not may_touch(call, Permission.EVENT_WRITE, stored):
                raise event_not_found(key.value)
            _require_decisions(call, stored, given)
            known = stored.changelog_total or len(stored.changelog)
            entries = given.changelog[max(0, known - given.changelog_from) :]
            if known < given.changelog_from or not entries:
                raise _UnchangedError
            return EventChange(with_entries(stored, entries))

        given, key = imported_changelog(given, call.principal), event_key(metadata_of(given).id)
        try:
            if await self._store.modify(key, append) is not None:
                return None
        except _UnchangedError:
            return None
        except TrackerError as error:
            if error.reason in {Reason.PERMISSION_REQUIRED, Reason.AUTHENTICATION_REQUIRED}:
                return _refused(index, "changelog", error)
            if error.reason is not Reason.EVENT_NOT_FOUND:
                raise
        return _refused(index, "metadata.id", event_not_found(key.value))

    async def _outcome(self, index: int, added: Added, call: Call) -> _Outcome:
        match added:
            case SlackIdTakenError():
                field = "metadata.slack_id"
            case ExternalIdTakenError():
                field = "attributes.external_id"
            case _:
                return "stored" if added else "unchanged"
        return _refused(index, field, await shown_taken(added, call, self._store))


def _forbidden(index: int, event: event_pb.Event, call: Call) -> event_pb.RefusedEvent | None:
    """Return why a call may not store an event, or None."""
    field = "attributes"
    try:
        require_change(call, Permission.EVENT_WRITE, event)
        field = "changelog"
        _require_decisions(call, event, event)
    except TrackerError as error:
        return _refused(index, field, error)
    return None


def _require_decisions(call: Call, event: event_pb.Event, given: event_pb.Event) -> None:
    """Check that a call may say of an event what the changelog of an imported one says was decided.

    Raises:
        TrackerError: UNAUTHENTICATED or PERMISSION_DENIED.
    """
    if not call.principal.may(Permission.ACCESS_MANAGE):
        require_decisions(call, event, [entry for entry in given.changelog if not entry.field])


def _refused(index: int, field: str, error: TrackerError) -> event_pb.RefusedEvent:
    return event_pb.RefusedEvent(index=index, reason=error.reason, field=field, message=error.message)


def _answer(outcomes: dict[int, _Outcome]) -> event_pb.ImportEventsResponse:
    kept: Counter[str] = Counter(each for each in outcomes.values() if isinstance(each, str))
    refused = [each for _, each in sorted(outcomes.items()) if isinstance(each, event_pb.RefusedEvent)]
    return event_pb.ImportEventsResponse(**kept, refused=refused)
