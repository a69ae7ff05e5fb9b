"""`tracker view`: saves, lists and deletes views of the pages, by their addresses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import USAGE, VIEW_TABLE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.options import ListApi, RecordApi, command_of
from tracker.cli.printing import echo, say
from tracker.cli.tables import Column, Table

if TYPE_CHECKING:
    from tracker.cli.printing import Cell
    from tracker.pb import link_pb

app = client_group("Save, list and delete views: addresses of pages, under a name.", VIEW_TABLE)
command = partial(command_of, app, codes=VIEW_TABLE)

_COLUMNS = (Column("NAME"), Column("FOR"), Column("ADDRESS", least=16), Column("ID", rank=1))


@command("save")
def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    address: Annotated[str, typer.Argument(metavar="PATH", help="Address of the page, from / on.")],
    *,
    shared: Annotated[bool, typer.Option("--shared", help="For all readers; it takes links:write.")] = False,
    team: Annotated[
        str, typer.Option("--team", metavar="NAME", help="The heading that it is listed under.")
    ] = "Views",
    api: RecordApi,
) -> None:
    """Save a view for yourself, or for all, and print its id.

    Example: tracker view save 'Failed in production' '/events?q=status:failure env:prod' --shared
    """
    from tracker.client.rpcs import CREATE_LINK

    path = address.replace(" ", "+")
    if not path.startswith("/"):
        raise CommandError(
            f"expected an address from / on, such as /events?q=status:failure, got {address!r}", USAGE
        )
    request = CREATE_LINK.request(group=team, name=name, url=path, private=not shared)
    answer = api.call(CREATE_LINK, request)
    api.show(answer, lambda: _print_new(answer.link))


@command("list")
def list_(*, api: ListApi) -> None:
    """List the views of all and your own, by name."""
    from tracker.client.rpcs import LIST_LINKS

    answer = api.whole(LIST_LINKS, LIST_LINKS.request())
    answer.links = [each for each in answer.links if each.url.startswith("/")]
    api.show_list(answer, answer.links, Table(_COLUMNS, _row), "there are no views")


@command("delete")
def delete(
    id_: Annotated[
        str, typer.Argument(metavar="ID", autocompletion=completing.view_ids, help="Id of the view.")
    ],
    *,
    api: RecordApi,
) -> None:
    """Delete a view."""
    from tracker.client.rpcs import DELETE_LINK

    answer = api.call(DELETE_LINK, DELETE_LINK.request(id=id_))
    api.show(answer, lambda: echo(f"deleted {id_}"))


def _print_new(link: link_pb.Link | None) -> None:
    if link is not None:
        say(f"saved {link.name} for {'you' if link.holder else 'all'}")
        echo(link.id)


def _row(link: link_pb.Link) -> tuple[Cell, ...]:
    return (link.name, "you" if link.holder else "all", link.url, link.id)
