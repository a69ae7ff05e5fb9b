"""The locks that are held, who waits for them, and the form that takes one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protobuf.wkt import Duration, UInt32Value

from tracker.errors import FieldViolation, invalid
from tracker.pb import lock_pb
from tracker.permissions import Permission
from tracker.web.forms import Done
from tracker.web.lock_rows import lock_row
from tracker.web.site import View
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from tracker.web.lock_rows import LockRow
    from tracker.web.visit import Visit

_PER_PAGE: Final = 100
_FILTERS: Final = ("service", "environment", "resource")
_LASTS: Final = (("", "until it is released"), ("3600", "an hour"), ("14400", "4 hours"), ("86400", "a day"))
"""For how many seconds the form takes a lock."""


@dataclass(frozen=True, slots=True)
class Locks:
    """A page of the list; `older` and `newest` are the addresses of others, "" where there are none."""

    rows: tuple[LockRow, ...]
    total: int
    newest: str
    older: str


class LocksPage:
    """Lists the locks that are held, and takes one by hand."""

    path = "/locks"

    async def show(self, visit: Visit) -> View:
        """Show the locks of a service, an environment and a resource, or all."""
        wanted = {name: visit.one(name) for name in _FILTERS}
        given = {name: value for name, value in wanted.items() if value}
        return View(
            "locks/list.html" if visit.choice("part", ("main",)) else "locks/page.html",
            wanted=wanted,
            filtered=bool(given),
            locks=await part(_locks(visit, wanted)),
            lasts=_LASTS,
            may_take=visit.call.principal.may(Permission.LOCK_WRITE),
            api=address("/api/v1alpha1/locks/list", given),
            tracker=" ".join(["tracker lock list", *(f"--{n} {shlex.quote(v)}" for n, v in given.items())]),
        )

    async def submit(self, visit: Visit) -> Done:
        """Take a lock, without waiting for it."""
        visit.require(Permission.LOCK_WRITE)
        form = visit.form
        lasts = form.text("lasts")
        if lasts not in dict(_LASTS):
            raise invalid(FieldViolation("lasts", "expected one of the times of the form"))
        request = lock_pb.CreateLockRequest(
            service=form.text("service").strip(),
            environment=form.text("environment").strip(),
            resource=form.text("resource").strip(),
            reason=form.text("reason").strip(),
            who=form.text("who").strip(),
            ttl=Duration(seconds=int(lasts)) if lasts else None,
        )
        answer = await visit.change(request, lock_pb.CreateLockResponse)
        taken = lock_row(answer.lock or lock_pb.Lock(), visit.times)
        return Done(address(f"/locks/{taken.id}", {}), f"Taken: {taken.name}.")


async def _locks(visit: Visit, wanted: dict[str, str]) -> Locks:
    found = await visit.ask(
        lock_pb.ListLocksRequest(
            per_page=UInt32Value(value=_PER_PAGE),
            page_token=visit.one("page"),
            service=wanted["service"],
            environment=wanted["environment"],
            resource=wanted["resource"],
        ),
        lock_pb.ListLocksResponse,
    )
    return Locks(
        tuple(lock_row(lock, visit.times, found.waiters) for lock in found.locks),
        found.total_count,
        visit.here(visit.address_path, page="", part="") if visit.one("page") else "",
        visit.here(visit.address_path, page=found.next_page_token, part="") if found.next_page_token else "",
    )
