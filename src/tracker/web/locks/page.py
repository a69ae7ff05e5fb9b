"""The locks that are held, and who waits for them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.pb import lock_pb
from tracker.web.lock_rows import lock_row
from tracker.web.site import View
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from tracker.web.lock_rows import LockRow
    from tracker.web.visit import Visit

_PER_PAGE: Final = 100
_FILTERS: Final = ("service", "environment", "resource")


@dataclass(frozen=True, slots=True)
class Locks:
    """A page of the list; `older` and `newest` are the addresses of others, "" where there are none."""

    rows: tuple[LockRow, ...]
    total: int
    newest: str
    older: str


class LocksPage:
    """Lists the locks that are held."""

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
            api=address("/api/v1alpha1/locks/list", given),
            tracker=" ".join(["tracker lock list", *(f"--{n} {shlex.quote(v)}" for n, v in given.items())]),
        )


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
