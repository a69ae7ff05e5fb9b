"""`tracker erase`: erases what names a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.options import RecordApi, Yes, confirm_deletion
from tracker.cli.printing import echo, say

if TYPE_CHECKING:
    from tracker.pb import retention_pb

_SECONDS = 600.0


def erase(
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE...", help="User names and email addresses of the person.")
    ],
    *,
    replacement: Annotated[
        str, typer.Option("--as", metavar="TEXT", help="What to write instead, such as a pseudonym.")
    ] = "erased",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print where the person is named.")] = False,
    yes: Yes = False,
    api: RecordApi,
) -> None:
    """Replace what names a person, wherever it is a word of its own.

    That is in events and their changelogs, the catalog, links, freeze windows, the log of changes and the
    audit log. Users are deleted otherwise. A legal hold on one of the events prevents it.

    Example: tracker erase ann ann@example.com --as 'former colleague' --dry-run
    """
    from tracker.client.rpcs import ERASE_PERSON

    confirm_deletion(yes or dry_run, "person", lambda: ", ".join(values))
    request = ERASE_PERSON.request(values=values, replacement=replacement, dry_run=dry_run)
    with api.connected() as connection:
        answer = connection.call(ERASE_PERSON, request, timeout=_SECONDS)
    api.show(answer, lambda: _print(answer, dry_run=dry_run))


def _print(answer: retention_pb.ErasePersonResponse, *, dry_run: bool) -> None:
    for each in answer.erased:
        ids = f" ({', '.join(each.ids)})" if each.ids else ""
        echo(f"{each.record.replace('_', ' ')}: {each.records:,}{ids}")
    if answer.holds:
        say(f"held by {', '.join(answer.holds)}: nothing could be erased")
    elif not answer.erased:
        say("nothing names the person")
    elif dry_run:
        say("nothing was erased; run it without --dry-run")
