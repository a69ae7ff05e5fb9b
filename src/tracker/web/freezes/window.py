"""One freeze window, with its form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.times import timestamp
from tracker.pb import freeze_pb
from tracker.permissions import Permission
from tracker.time_text import DAY
from tracker.web.forms import Done, digest_of, require_unchanged
from tracker.web.freezes.entries import RULES, TYPES, entries_of, request_in
from tracker.web.freezes.page import FreezesPage
from tracker.web.freezes.rows import occurrence_row, window_row
from tracker.web.site import View
from tracker.web.visit import part

if TYPE_CHECKING:
    from tracker.web.freezes.rows import FreezeRow
    from tracker.web.visit import Visit

_AHEAD_DAYS = 366
_MOST = 12


class FreezeWindowPage:
    """Shows a freeze window and its next repetitions; changes and deletes it."""

    path = "/freezes/{id}"

    async def show(self, visit: Visit) -> View:
        """Show the window."""
        window = await _window(visit)
        begins = entries_of(window, visit.times)
        return View(
            "freezes/window.html",
            window=window_row(window, visit.times),
            stored=window,
            created=visit.times.long_tag(window.created_at),
            upcoming=await part(_upcoming(visit, window)),
            begins=begins,
            state=digest_of(begins),
            types=TYPES,
            rules=RULES,
            may_write=visit.call.principal.may(Permission.FREEZE_WRITE),
        )

    async def submit(self, visit: Visit) -> Done:
        """Change the window, or delete it."""
        visit.require("freeze:write")
        window = await _window(visit)
        if visit.form.text("action") == "delete":
            await visit.change(
                freeze_pb.DeleteFreezeWindowRequest(id=window.id), freeze_pb.DeleteFreezeWindowResponse
            )
            return Done(FreezesPage.path, f"Deleted: {window.title}.")
        begins = entries_of(window, visit.times)
        require_unchanged(visit.form, "freeze window", digest_of(begins), begins)
        kept = freeze_pb.UpdateFreezeWindowRequest(
            id=window.id, scope_type=window.scope_type, scope_ids=window.scope_ids, uid=window.uid
        )
        await visit.change(request_in(visit, kept), freeze_pb.UpdateFreezeWindowResponse)
        return Done(visit.address_path, "The freeze window is changed.")


async def _window(visit: Visit) -> freeze_pb.FreezeWindow:
    request = freeze_pb.GetFreezeWindowRequest(id=visit.captures[0])
    found = await visit.ask(request, freeze_pb.GetFreezeWindowResponse)
    return found.freeze_window or freeze_pb.FreezeWindow()


async def _upcoming(visit: Visit, window: freeze_pb.FreezeWindow) -> list[FreezeRow]:
    now = visit.clock.now
    request = freeze_pb.ListFreezeOccurrencesRequest(
        since=timestamp(now), until=timestamp(now + _AHEAD_DAYS * DAY), limit=10_000
    )
    found = await visit.ask(request, freeze_pb.ListFreezeOccurrencesResponse)
    own = (each for each in found.occurrences if each.freeze_window and each.freeze_window.id == window.id)
    return [occurrence_row(each, visit.times) for each, _ in zip(own, range(_MOST), strict=False)]
