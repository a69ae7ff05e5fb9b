"""The list of freeze windows, with the form for a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.pb import freeze_pb
from tracker.permissions import Permission
from tracker.web.forms import Done
from tracker.web.freezes.entries import RULES, TYPES, entries_of, request_in
from tracker.web.freezes.rows import window_row
from tracker.web.site import View
from tracker.web.visit import part

if TYPE_CHECKING:
    from tracker.web.freezes.rows import FreezeRow
    from tracker.web.visit import Visit


class FreezesPage:
    """Lists the freeze windows, those that are in effect or come next first, and creates one."""

    path = "/freezes"

    async def show(self, visit: Visit) -> View:
        """Show the windows, and the form to those who may create one."""
        new = freeze_pb.FreezeWindow(active=True)
        return View(
            "freezes/page.html",
            windows=await part(_windows(visit)),
            begins=entries_of(new, visit.times),
            types=TYPES,
            rules=RULES,
            may_write=visit.call.principal.may(Permission.FREEZE_WRITE),
        )

    async def submit(self, visit: Visit) -> Done:
        """Create a window."""
        visit.require("freeze:write")
        request = request_in(visit, freeze_pb.CreateFreezeWindowRequest(created_by=visit.form.text("who")))
        await visit.change(request, freeze_pb.CreateFreezeWindowResponse)
        return Done(self.path, f"Created: {request.title}.")


async def _windows(visit: Visit) -> list[FreezeRow]:
    windows: list[freeze_pb.FreezeWindow] = []
    token = ""
    while token or not windows:
        found = await visit.ask(
            freeze_pb.ListFreezeWindowsRequest(page_token=token), freeze_pb.ListFreezeWindowsResponse
        )
        windows += found.freeze_windows
        token = found.next_page_token
        if not token:
            break
    return [window_row(each, visit.times) for each in sorted(windows, key=_place)]


def _place(window: freeze_pb.FreezeWindow) -> tuple[int, int]:
    """Return the place in the list: in effect, to come, over, off; and by when it is."""
    begin = window.next_starts_at or window.starts_at
    seconds = 0 if begin is None else begin.seconds
    if not window.active:
        return 3, -seconds
    if window.next_starts_at is None:
        return 2, -seconds
    return (0 if window.in_effect else 1), seconds
