"""`tracker session`: the sessions in browsers of the person whose session calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import ACCESS_TABLE
from tracker.cli.helped import client_group
from tracker.cli.options import ListApi, RecordApi, command_of
from tracker.cli.printing import echo
from tracker.cli.tables import Column, Table

if TYPE_CHECKING:
    from tracker.cli.printing import Cell
    from tracker.pb import auth_pb

app = client_group("List and end your sessions in browsers, with the token of one of them.", ACCESS_TABLE)
command = partial(command_of, app, codes=ACCESS_TABLE)

_COLUMNS = (
    Column("LOGGED IN"),
    Column("LAST USED"),
    Column("FROM", rank=1),
    Column("BROWSER", rank=3, least=12),
    Column("EXPIRES", rank=2),
    Column("THIS", rank=4),
    Column("ID"),
)


@command("list")
def list_sessions(*, api: ListApi) -> None:
    """List your sessions, newest first: when and from where each was last used.

    API keys have no sessions: the token must be that of a session.

    Example: TRACKER_TOKEN=$session tracker session list
    """
    from tracker.client.rpcs import LIST_SESSIONS

    answer = api.call(LIST_SESSIONS, LIST_SESSIONS.request())
    api.show_list(answer, answer.sessions, Table(_COLUMNS, _row), "the caller has no sessions")


@command("end")
def end(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", autocompletion=completing.session_ids, help="Id of the session."),
    ],
    *,
    api: RecordApi,
) -> None:
    """End one of your sessions. One that is already over stays as it is."""
    from tracker.client.rpcs import END_SESSION

    answer = api.call(END_SESSION, END_SESSION.request(id=id_))
    api.show(answer, lambda: echo(f"ended {id_}"))


def _row(session: auth_pb.Session) -> tuple[Cell, ...]:
    times = session.created_at, session.last_used_at
    this = "yes" if session.current else ""
    return (*times, session.last_used_from, session.user_agent, session.expires_at, this, session.id)
