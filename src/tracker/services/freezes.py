"""The service of freeze windows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tracker.domain.environments import environment_name
from tracker.domain.freeze_scopes import is_within, visible_part
from tracker.domain.freezes import (
    in_effect,
    is_for,
    new_freeze,
    shown_freeze,
    shown_occurrence,
    updated_freeze,
)
from tracker.domain.scopes import Subject
from tracker.domain.times import micros
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import freeze_pb
from tracker.permissions import Permission
from tracker.services.context import permission_required
from tracker.services.paging import answer_bytes, fitting, own, page_token, parse_page_token
from tracker.time_text import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.services.context import Call, Context
    from tracker.stores.records import RecordStore

_USUAL_DAYS: Final = 30
_MOST_DAYS: Final = 2 * 366
_USUAL_LIMIT: Final = 1_000


class FreezeWindowService:
    """Answers `tracker.freeze.v1alpha1.FreezeWindowService`."""

    def __init__(self, store: RecordStore[freeze_pb.FreezeWindow], context: Context) -> None:
        self._store = store
        self._context = context

    async def create_freeze_window(
        self, request: freeze_pb.CreateFreezeWindowRequest, call: Call
    ) -> freeze_pb.CreateFreezeWindowResponse:
        now = self._context.now()
        window = new_freeze(request, window_id=self._context.new_id(), now=now, principal=call.principal)
        _require(call, window)

        def answer(made: freeze_pb.FreezeWindow) -> freeze_pb.CreateFreezeWindowResponse:
            return freeze_pb.CreateFreezeWindowResponse(freeze_window=shown_freeze(made, now))

        await self._store.create(window, call.once(answer))
        self._context.report(call, "freeze window created", id=window.id, title=window.title)
        return answer(window)

    async def get_freeze_window(
        self, request: freeze_pb.GetFreezeWindowRequest, call: Call
    ) -> freeze_pb.GetFreezeWindowResponse:
        stored = await self._store.get(request.id.lower())
        window = None if stored is None else _seen(call, stored)
        if window is None:
            raise _not_found(request.id)
        return freeze_pb.GetFreezeWindowResponse(freeze_window=shown_freeze(window, self._context.now()))

    async def update_freeze_window(
        self, request: freeze_pb.UpdateFreezeWindowRequest, call: Call
    ) -> freeze_pb.UpdateFreezeWindowResponse:
        now = self._context.now()

        def replace(stored: freeze_pb.FreezeWindow) -> freeze_pb.FreezeWindow:
            _require_stored(call, stored)
            window = updated_freeze(stored, request, now)
            _require(call, window)
            return window

        def answer(made: freeze_pb.FreezeWindow) -> freeze_pb.UpdateFreezeWindowResponse:
            return freeze_pb.UpdateFreezeWindowResponse(freeze_window=shown_freeze(made, now))

        window = await self._store.modify(request.id.lower(), replace, call.once(answer))
        if window is None:
            raise _not_found(request.id)
        self._context.report(call, "freeze window updated", id=window.id, title=window.title)
        return answer(window)

    async def delete_freeze_window(
        self, request: freeze_pb.DeleteFreezeWindowRequest, call: Call
    ) -> freeze_pb.DeleteFreezeWindowResponse:
        def answer(deleted: bool) -> freeze_pb.DeleteFreezeWindowResponse:  # noqa: FBT001 - what a store tells
            return freeze_pb.DeleteFreezeWindowResponse(
                message="freeze window deleted", id=request.id, count=int(deleted)
            )

        check = partial(_require_stored, call)
        try:
            deleted = await self._store.delete(request.id.lower(), call.once(answer), check)
        except TrackerError as error:
            if error.reason is not Reason.FREEZE_WINDOW_NOT_FOUND:
                raise
            deleted = False  # as one that does not exist
        if deleted:
            self._context.report(call, "freeze window deleted", id=request.id)
        return answer(deleted)

    async def list_freeze_windows(
        self, request: freeze_pb.ListFreezeWindowsRequest, call: Call
    ) -> freeze_pb.ListFreezeWindowsResponse:
        query = own(f"freezes {request.service!r} {request.environment!r} {request.team!r}", call)
        cursor = parse_page_token(request.page_token, query)
        found = await self._visible(request, call)
        windows, rest = fitting(found, cursor, answer_bytes(call))
        now = self._context.now()
        return freeze_pb.ListFreezeWindowsResponse(
            freeze_windows=[shown_freeze(each, now) for each in windows],
            total_count=len(found),
            next_page_token=page_token(rest, query),
        )

    async def list_freeze_occurrences(
        self, request: freeze_pb.ListFreezeOccurrencesRequest, call: Call
    ) -> freeze_pb.ListFreezeOccurrencesResponse:
        since = self._context.now() if request.since is None else micros(request.since)
        until = since + _USUAL_DAYS * DAY if request.until is None else micros(request.until)
        if not since < until <= since + _MOST_DAYS * DAY:
            expected = f"expected a time after since, and at most {_MOST_DAYS} days later"
            raise invalid(FieldViolation("until", expected))
        found = in_effect(await self._visible(request, call), since, until)
        limit = request.limit or _USUAL_LIMIT
        shown, rest = fitting([shown_occurrence(each) for each in found[:limit]], None)
        return freeze_pb.ListFreezeOccurrencesResponse(
            occurrences=list(shown), more=len(found) > limit or rest is not None
        )

    async def _visible(
        self, request: freeze_pb.ListFreezeWindowsRequest | freeze_pb.ListFreezeOccurrencesRequest, call: Call
    ) -> Sequence[freeze_pb.FreezeWindow]:
        """Return the windows that a call may see, of those that a request asks for."""
        asked = Subject(request.service, environment_name(request.environment), request.team)
        windows = await self._store.find()
        if any(asked):
            windows = [each for each in windows if is_for(each, asked, any_unnamed=True)]
        return [seen for each in windows if (seen := _seen(call, each)) is not None]


def _seen(call: Call, window: freeze_pb.FreezeWindow) -> freeze_pb.FreezeWindow | None:
    return visible_part(window, call.principal.scopes(Permission.FREEZE_READ))


def _may_change(call: Call, window: freeze_pb.FreezeWindow) -> bool:
    scopes = call.principal.scopes(Permission.FREEZE_WRITE)
    return scopes is None or any(is_within(window, scope) for scope in scopes)


def _require(call: Call, window: freeze_pb.FreezeWindow) -> None:
    if not _may_change(call, window):
        where = " for all that the freeze window is for"
        raise permission_required(call.principal, Permission.FREEZE_WRITE, where)


def _require_stored(call: Call, window: freeze_pb.FreezeWindow) -> None:
    if not _may_change(call, window) and _seen(call, window) is None:
        raise _not_found(window.id)
    _require(call, window)


def _not_found(window_id: str) -> TrackerError:
    return TrackerError(Reason.FREEZE_WINDOW_NOT_FOUND, f"no freeze window found for id {window_id}")
