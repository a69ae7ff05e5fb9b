"""The link service: the links of the start page."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from protobuf.wkt import Empty

from tracker.errors import Reason, TrackerError
from tracker.pb import link_pb
from tracker.permissions import Permission
from tracker.services.context import answer_with
from tracker.services.paging import answer_bytes, fitting, own, page_token, parse_page_token
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from tracker.services.context import Call, Context
    from tracker.stores.records import RecordStore

_MOST_PRIVATE = 200
_DEFAULT_GROUP = "Custom"
_OPTIONAL = ("description", "icon", "color", "logo")


class LinkService:
    """Answers `tracker.link.v1alpha1.LinkService`."""

    def __init__(self, store: RecordStore[link_pb.Link], context: Context) -> None:
        self._store = store
        self._context = context

    async def list_links(self, request: link_pb.ListLinksRequest, call: Call) -> link_pb.ListLinksResponse:
        query = own("links", call)
        cursor = parse_page_token(request.page_token, query)
        may_read, caller = call.principal.may(Permission.LINKS_READ), call.principal.known_id
        stored = await self._store.find()
        seen = [each for each in stored if (each.holder == caller if each.holder else may_read)]
        links, rest = fitting(seen, cursor, answer_bytes(call))
        return link_pb.ListLinksResponse(links=list(links), next_page_token=page_token(rest, query))

    async def create_link(self, request: link_pb.CreateLinkRequest, call: Call) -> link_pb.CreateLinkResponse:
        now = self._context.now() // MICROS
        link = link_pb.Link(id=self._context.new_id(), created_at=now, updated_at=now)
        if request.private:
            link.holder = await self._holder(call)
        else:
            call.require(Permission.LINKS_WRITE)
        link = _described(link, request)
        await self._store.create(link, call.once(_created))
        self._context.report(call, "link created", id=link.id, name=link.name)
        return _created(link)

    async def update_link(self, request: link_pb.UpdateLinkRequest, call: Call) -> link_pb.UpdateLinkResponse:
        now = self._context.now() // MICROS

        def replace(stored: link_pb.Link) -> link_pb.Link:
            _require_change(stored, call)
            kept = link_pb.Link(
                id=stored.id, created_at=stored.created_at, updated_at=now, holder=stored.holder or None
            )
            return _described(kept, request)

        link = await self._store.modify(request.id.lower(), replace, call.once(_updated))
        if link is None:
            raise _not_found(request.id)
        self._context.report(call, "link updated", id=link.id, name=link.name)
        return _updated(link)

    async def delete_link(self, request: link_pb.DeleteLinkRequest, call: Call) -> Empty:
        for each in await self._store.find():
            if each.id == request.id.lower():
                _require_change(each, call)
        if not await self._store.delete(request.id.lower(), call.once(lambda _: Empty())):
            raise _not_found(request.id)
        self._context.report(call, "link deleted", id=request.id)
        return Empty()

    async def _holder(self, call: Call) -> str:
        """Return the id of the caller, who may have one more private link.

        Raises:
            TrackerError: UNAUTHENTICATED or RESOURCE_EXHAUSTED.
        """
        holder = call.principal.known_id
        if not holder:
            raise TrackerError(Reason.AUTHENTICATION_REQUIRED, "private links need credentials")
        if sum(each.holder == holder for each in await self._store.find()) >= _MOST_PRIVATE:
            raise TrackerError(Reason.TOO_MANY_LINKS, f"the caller has {_MOST_PRIVATE} private links")
        return holder


def _require_change(link: link_pb.Link, call: Call) -> None:
    """Check that the caller may change a link; who may not see a private one is told that there is none.

    Raises:
        TrackerError: UNAUTHENTICATED, PERMISSION_DENIED or NOT_FOUND.
    """
    if link.holder and link.holder != call.principal.known_id:
        raise _not_found(link.id)
    if not link.holder:
        call.require(Permission.LINKS_WRITE)


_created = answer_with(link_pb.CreateLinkResponse, "link")
_updated = answer_with(link_pb.UpdateLinkResponse, "link")


def _described(
    link: link_pb.Link, request: link_pb.CreateLinkRequest | link_pb.UpdateLinkRequest
) -> link_pb.Link:
    """Return a link with the fields of a request; empty optional texts are left out."""
    link = copy.copy(link)
    link.group = request.group.strip() or _DEFAULT_GROUP
    link.name = request.name
    link.url = request.url
    for name in _OPTIONAL:
        if value := getattr(request, name):
            setattr(link, name, value)
    return link


def _not_found(link_id: str) -> TrackerError:
    return TrackerError(Reason.LINK_NOT_FOUND, f"no link found in tracker for id {link_id}")
