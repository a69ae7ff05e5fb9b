"""`tracker audit`: lists, verifies and exports the audit log, and erases personal values from it."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.exits import AUDIT_TABLE, FAILED, USAGE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.options import ListApi, RecordApi, Server, Yes, command_of, confirm_deletion, number_option
from tracker.cli.printing import Output, echo, print_each, print_json, say
from tracker.cli.tables import Column, Table
from tracker.cli.time_options import end_option, moment_option, timestamp
from tracker.number_text import number_of

if TYPE_CHECKING:
    from tracker.cli.printing import Cell
    from tracker.pb import audit_pb

app = client_group("List, verify and export the audit log; erase personal values from it.", AUDIT_TABLE)
command = partial(command_of, app, codes=AUDIT_TABLE)

_PAGE = 1_000

_Moment = Annotated[
    datetime | None,
    moment_option("Earliest time, such as 2h (ago)."),
]
_End = Annotated[datetime | None, end_option("Latest time, such as yesterday.")]


@command("list")
def list_(
    *,
    record: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="Of records such as event, lock, catalog_entry, link, access, settings, audit.",
        ),
    ] = "",
    id_: Annotated[str, typer.Option("--id", metavar="ID", help="Of the record with this id.")] = "",
    mentions: Annotated[
        str, typer.Option(metavar="TEXT", help="That mention a text, such as an email address.")
    ] = "",
    since: _Moment = None,
    until: _End = None,
    limit: Annotated[int, number_option("How many to print.", "--limit", "-n", least=1, most=_PAGE)] = 100,
    api: ListApi,
) -> None:
    """List who changed what, from where, and when; the newest first.

    Example: tracker audit list --record lock --since 7d
    """
    from tracker.client.rpcs import LIST_AUDIT_ENTRIES

    request = LIST_AUDIT_ENTRIES.request(
        record=record,
        record_id=id_,
        mentions=mentions,
        since=timestamp(since),
        until=timestamp(until),
        newest_first=True,
        limit=limit,
    )
    answer = api.call(LIST_AUDIT_ENTRIES, request)
    api.show_list(answer, answer.entries, _ENTRIES, "no entries")


@command("verify")
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="What `export` wrote.  [default: ask the server]")
    ] = None,
    *,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A checkpoint that was kept elsewhere: the log must still have it."
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="HEX", help="A public key: checkpoints signed with other keys are wrong."),
    ] = None,
    api: RecordApi,
) -> None:
    """Verify that no entry of the audit log was changed, deleted, moved or inserted.

    Only a checkpoint or a key that was kept elsewhere shows that the end of the log was not cut off, nor all
    of it written anew.

    Example: tracker audit verify --checkpoint checkpoint.json
    """
    from tracker.cli.audit.reading import entries_of, exported, kept_checkpoint, verified

    kept = [kept_checkpoint(path) for path in checkpoint or ()]
    trusted = [*(key or ()), *(each.key for each in kept if key is None)]
    if file is not None:
        found = verified(exported(file), trusted, kept)
    else:
        with api.connected() as connection:
            found = verified(entries_of(connection), trusted, kept)
    last = 0 if found.last is None else found.last.number
    api.show(
        lambda: {
            "entries": found.entries,
            "first": found.first,
            "last": last,
            "signed": found.signed,
            "keys": dict(found.keys),
            "problems": [*found.problems],
        },
        lambda: echo(
            f"{number_of(found.entries, 'entry', 'entries')}, {found.first} to {last};"
            f" signed up to {found.signed}, by {' and '.join(found.keys) or 'no key'}"
        ),
    )
    for problem in found.problems:
        say(problem)
    if found.problems:
        raise CommandError("the audit log is not as it was written", FAILED)


@command("export")
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="File to write.  [default: standard output]")
    ] = None,
    *,
    api: Server,
) -> None:
    """Write all entries of the audit log, each as a line of JSON, which `verify` reads.

    Example: tracker audit export audit.ndjson
    """
    from tracker.cli.audit.reading import entries_of

    with api.connected() as connection:
        if file is None:
            print_each(entries_of(connection), Output.NDJSON)
            return
        try:
            with file.open("w", encoding="utf-8") as opened:
                for entry in entries_of(connection):
                    opened.write(f"{entry.to_json()}\n")
        except OSError as error:
            raise CommandError(f"{file} can't be written: {error.strerror}") from None


@command("checkpoint")
def checkpoint(*, api: Server) -> None:
    """Sign the last entry of the audit log, and print the checkpoint; keep it elsewhere, for `verify`.

    Example: tracker audit checkpoint > checkpoint.json
    """
    from tracker.client.rpcs import CREATE_AUDIT_CHECKPOINT

    answer = api.call(CREATE_AUDIT_CHECKPOINT, CREATE_AUDIT_CHECKPOINT.request())
    if not answer.number:
        raise CommandError("the audit log has no entries")
    print_json(json.loads(answer.to_json()))


@command("erase")
def erase(
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="What to erase, such as a name; `-` reads it from stdin.")
    ],
    *,
    yes: Yes = False,
    api: Server,
) -> None:
    """Erase a personal value from all entries of the audit log.

    The log can still be verified. Delete the value from records first: changes are recorded within a second.
    """
    from tracker.client.rpcs import ERASE_AUDIT_VALUE

    text = sys.stdin.readline().rstrip("\n") if value == "-" else value
    if not text:
        raise CommandError("nothing to erase was given", USAGE)
    confirm_deletion(yes, "value", lambda: text)
    answer = api.call(ERASE_AUDIT_VALUE, ERASE_AUDIT_VALUE.request(value=text))
    echo(f"erased from {number_of(answer.entries, 'entry', 'entries')}")


def _row(entry: audit_pb.AuditEntry) -> tuple[Cell, ...]:
    from tracker.audit.chain import fields_in

    found = fields_in(entry.content)
    content = found or {}
    what = [] if found is not None else [f"damaged: {entry.content}"]
    what += [
        f"{name}: {json.dumps(content[name], ensure_ascii=False)}"
        for name in ("reason", "before", "after")
        if name in content
    ]
    return (
        entry.number,
        entry.at,
        entry.record,
        entry.action,
        str(content.get("principal", "")),
        str(content.get("address", "")),
        entry.record_id,
        " ".join(what),
    )


_ENTRIES = Table(
    (
        Column("NUMBER"),
        Column("TIME", least=5),
        Column("RECORD", least=5),
        Column("ACTION", least=7),
        Column("PRINCIPAL", least=10),
        Column("ADDRESS", rank=3, least=9),
        Column("ID", rank=2, least=8),
        Column("WHAT", rank=1, least=10),
    ),
    _row,
)
