"""`tracker hold`: legal holds, which keep events from being deleted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import RETENTION_TABLE
from tracker.cli.helped import client_group
from tracker.cli.named import only_named
from tracker.cli.options import ListApi, RecordApi, Yes, command_of, confirm_deletion
from tracker.cli.printing import echo
from tracker.cli.tables import Column, Table

if TYPE_CHECKING:
    from tracker.cli.printing import Cell
    from tracker.pb import retention_pb

app = client_group("Keep events from being deleted.", RETENTION_TABLE)
command = partial(command_of, app, codes=RETENTION_TABLE)

_HOLDS = (
    Column("NAME", least=12),
    Column("QUERY", least=16),
    Column("REASON", rank=1, least=16),
    Column("BY", rank=3),
    Column("SINCE", rank=2),
    Column("ID", rank=4),
)


@command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why the events are held.")],
    query: Annotated[
        str, typer.Option("--query", "-q", metavar="QUERY", help="Which events it holds.  [default: all]")
    ] = "",
    api: RecordApi,
) -> None:
    """Hold events, and print the id of the hold. Relative times in the query are those of now.

    Example: tracker hold create case-7 --query 'service:payments since:2026-01-01' --reason 'Case 7'
    """
    from tracker.client.rpcs import CREATE_LEGAL_HOLD

    answer = api.call(CREATE_LEGAL_HOLD, CREATE_LEGAL_HOLD.request(name=name, query=query, reason=reason))
    api.show(answer, lambda: echo(answer.hold.id if answer.hold else ""))


@command("list")
def list_(*, api: ListApi) -> None:
    """List the legal holds.

    Example: tracker hold list
    """
    from tracker.client.rpcs import LIST_LEGAL_HOLDS

    answer = api.call(LIST_LEGAL_HOLDS, LIST_LEGAL_HOLDS.request())
    api.show_list(answer, answer.holds, Table(_HOLDS, _row), "nothing is held")


@command("release")
def release(
    hold: Annotated[
        str,
        typer.Argument(metavar="HOLD", autocompletion=completing.hold_names, help="Name or id of the hold."),
    ],
    *,
    yes: Yes = False,
    api: RecordApi,
) -> None:
    """Release a hold: the events may be deleted again.

    Example: tracker hold release case-7 --yes
    """
    from tracker.client.rpcs import LIST_LEGAL_HOLDS, RELEASE_LEGAL_HOLD

    known = api.call(LIST_LEGAL_HOLDS, LIST_LEGAL_HOLDS.request()).holds
    found = only_named(known, hold, lambda each: each.name, one="hold", several="holds have the name")
    confirm_deletion(yes, "legal hold", lambda: found.name)
    answer = api.call(RELEASE_LEGAL_HOLD, RELEASE_LEGAL_HOLD.request(id=found.id))
    api.show(answer, lambda: echo(f"released the legal hold {found.name}"))


def _row(hold: retention_pb.LegalHold) -> tuple[Cell, ...]:
    return (hold.name, hold.query, hold.reason, hold.created_by, hold.created_at, hold.id)
