"""The saved views of the Explorer: links to addresses of it, private or of all readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protobuf.wkt import Empty

from tracker.pb import link_pb
from tracker.permissions import Permission
from tracker.web.explorer.state import PATH
from tracker.web.visit import part

if TYPE_CHECKING:
    from tracker.web.explorer.state import State
    from tracker.web.visit import Part, Visit

_GROUP: Final = "Views"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view, as the menu shows it."""

    id: str
    name: str
    address: str
    is_private: bool
    is_shown: bool
    may_delete: bool


@dataclass(frozen=True, slots=True)
class SavedViews:
    """The views that a reader sees, and whether it may save some."""

    found: Part[tuple[SavedView, ...]]
    may_save: bool
    may_share: bool


async def saved_views(visit: Visit, state: State) -> SavedViews:
    """Return the views of all, and those of the reader, by name."""
    may_share, is_known = visit.may(Permission.LINKS_WRITE), not visit.call.principal.is_anonymous
    return SavedViews(await part(_found(visit, state, may_share=may_share)), may_share or is_known, may_share)


async def _found(visit: Visit, state: State, *, may_share: bool) -> tuple[SavedView, ...]:
    answer = await visit.ask(link_pb.ListLinksRequest(), link_pb.ListLinksResponse)
    here = state.filtered()
    return tuple(
        SavedView(
            each.id, each.name, each.url, bool(each.holder), each.url == here, bool(each.holder) or may_share
        )
        for each in answer.links
        if each.url.partition("?")[0] == PATH
    )


async def save_view(visit: Visit, state: State) -> str:
    """Save the address that is shown under the name of a form; return the message that follows."""
    private = visit.call.principal.is_anonymous is False and not visit.form.text("shared")
    request = link_pb.CreateLinkRequest(
        group=_GROUP, name=visit.form.text("name"), url=state.filtered(), private=private
    )
    await visit.change(request, link_pb.CreateLinkResponse)
    return f"The view {visit.form.text('name')} is saved for {'you' if private else 'all'}."


async def delete_view(visit: Visit) -> str:
    """Delete the view that a form names; return the message that follows."""
    await visit.change(link_pb.DeleteLinkRequest(id=visit.form.text("id")), Empty)
    return "The view is deleted."
