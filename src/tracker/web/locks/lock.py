"""One lock, with its release."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracker.errors import FieldViolation, invalid
from tracker.pb import lock_pb
from tracker.web.forms import Done
from tracker.web.lock_rows import lock_row
from tracker.web.locks.history import events_of, history_of
from tracker.web.site import View
from tracker.web.visit import part

if TYPE_CHECKING:
    from tracker.web.visit import Visit


class LockPage:
    """Shows a lock that is held, and releases it."""

    path = "/locks/{id}"

    async def show(self, visit: Visit) -> View:
        """Show the lock, those who wait for it, and what was before."""
        found = await visit.ask(lock_pb.GetLockRequest(id=visit.captures[0]), lock_pb.GetLockResponse)
        lock = found.lock or lock_pb.Lock()
        history, events = await asyncio.gather(part(history_of(visit, lock)), part(events_of(visit, lock)))
        return View(
            "locks/lock.html",
            lock=lock_row(lock, visit.times, found.waiters),
            is_own=(lock.owner or "") == visit.call.principal.known_id,
            may_release=visit.may("lock:write", lock.service, lock.environment),
            may_force=visit.may("lock:force", lock.service, lock.environment),
            history=history,
            events=events,
        )

    async def submit(self, visit: Visit) -> Done:
        """Release the lock, as its holder or by force."""
        visit.require("lock:write")
        form = visit.form
        force, reason = form.text("action") == "force", form.text("reason")
        if force and not reason.strip():
            raise invalid(FieldViolation("reason", "expected why the lock is taken from its holder"))
        held = await visit.ask(lock_pb.GetLockRequest(id=visit.captures[0]), lock_pb.GetLockResponse)
        request = lock_pb.UnLockRequest(
            id=visit.captures[0], force=force, reason=reason, who=form.text("who")
        )
        await visit.change(request, lock_pb.UnLockResponse)
        released = lock_row(held.lock or lock_pb.Lock(), visit.times).name
        return Done("/locks", f"Released{' by force' if force else ''}: {released}.")
