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
    from collections.abc import Mapping, Sequence

    from tracker.web.explorer.state import State
    from tracker.web.visit import Part, Visit

_GROUP: Final = "Views"
"""The heading of views that are of no team."""
_FIRST: Final = "Opened first"
"""The heading of a private link to what its holder sees at the address of the Explorer alone."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view, as the menu shows it."""

    id: str
    name: str
    address: str
    is_private: bool
    is_shown: bool
    is_first: bool
    may_delete: bool


@dataclass(frozen=True, slots=True)
class SavedViews:
    """The views that a reader sees, by their headings, and what it may do with them."""

    found: Part[Mapping[str, Sequence[SavedView]]]
    may_save: bool
    may_share: bool
    may_choose: bool


async def saved_views(visit: Visit, state: State) -> SavedViews:
    """Return the views of all, and those of the reader, by heading and name."""
    may_share, is_known = visit.may(Permission.LINKS_WRITE), not visit.call.principal.is_anonymous
    found = await part(_found(visit, state, may_share=may_share))
    return SavedViews(found, may_share or is_known, may_share, is_known)


async def first_view(visit: Visit) -> str:
    """Return the address that the reader has chosen to see first, "" for none."""
    if visit.call.principal.is_anonymous:
        return ""
    links = await part(_links(visit))
    return next((each.url for each in links.value or () if _is_first(each)), "")


async def _links(visit: Visit) -> Sequence[link_pb.Link]:
    """Return the links to the Explorer; an answer of one page has thousands."""
    answer = await visit.ask(link_pb.ListLinksRequest(), link_pb.ListLinksResponse)
    return [each for each in answer.links if each.url.partition("?")[0] == PATH]


def _is_first(link: link_pb.Link) -> bool:
    return bool(link.holder) and link.group == _FIRST and "?" in link.url


async def _found(visit: Visit, state: State, *, may_share: bool) -> Mapping[str, Sequence[SavedView]]:
    links, here = await _links(visit), state.filtered()
    first = {each.url for each in links if _is_first(each)}
    views: dict[str, list[SavedView]] = {}
    for each in links:
        if not _is_first(each):
            shown, chosen = each.url == here, each.url in first
            deletes = bool(each.holder) or may_share
            view = SavedView(each.id, each.name, each.url, bool(each.holder), shown, chosen, deletes)
            views.setdefault(each.group, []).append(view)
    return views


async def change_views(visit: Visit, state: State) -> str:
    """Change the views as a form asks; return the message that follows."""
    form = visit.form
    match form.action:
        case "save-view":
            private = visit.call.principal.is_anonymous is False and not form.text("shared")
            name, group = form.text("name"), form.text("team").strip() or _GROUP
            await visit.change(
                link_pb.CreateLinkRequest(group=group, name=name, url=state.filtered(), private=private),
                link_pb.CreateLinkResponse,
            )
            return f"The view {name} is saved for {'you' if private else 'all'}."
        case "delete-view":
            await visit.change(link_pb.DeleteLinkRequest(id=form.text("id")), Empty)
            return "The view is deleted."
        case _:
            links = await _links(visit)
            for each in filter(_is_first, links):
                await visit.change(link_pb.DeleteLinkRequest(id=each.id), Empty)
            chosen = next((each for each in links if each.id == form.text("id")), None)
            if form.action == "usual-view" or chosen is None:
                return "Events opens with those of the last 7 days."
            first = link_pb.CreateLinkRequest(group=_FIRST, name=chosen.name, url=chosen.url, private=True)
            await visit.change(first, link_pb.CreateLinkResponse)
            return f"Events opens with {chosen.name}."
