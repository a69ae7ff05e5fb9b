"""`tracker catalog apply`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.catalog.group import EPILOG, app
from tracker.cli.errors import CommandError
from tracker.cli.exits import USAGE, failures
from tracker.cli.options import DEFAULT_SERVER, Format, Server
from tracker.cli.output import Output, printable

if TYPE_CHECKING:
    from tracker.cli.catalog.applying import Applied
    from tracker.transcoding.json_text import JsonValue


@app.command("apply", epilog=EPILOG)
def apply(
    *,
    files: Annotated[
        list[Path],
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="YAML or JSON file, a folder of such files, or - for standard input; may be repeated.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be changed.")] = False,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Create and update entries from files, and print what changed.

    A file has one entry in each document, or a list of them. Fields that an entry lacks are cleared, except
    versions and dependencies, which stay. Any mistake stops everything, and nothing is changed.

    Example: tracker catalog get shop --output yaml | sed 's/1.4/1.5/' | tracker catalog apply -f -
    """
    from tracker.cli.catalog.applying import applied
    from tracker.cli.catalog.reading import Mistakes, read
    from tracker.cli.catalog.shown import print_applied
    from tracker.cli.documents import print_document
    from tracker.client import Connection

    try:
        entries = read(files)
    except Mistakes as mistakes:
        for line in mistakes.lines:
            typer.echo(f"tracker: {printable(line)}", err=True)
        raise typer.Exit(USAGE) from None
    if not entries:
        raise CommandError("nothing to apply: the files have no entries", USAGE)
    results: list[JsonValue] = []
    with failures(output), Connection(server) as connection:
        for described in entries:
            result = applied(connection, described, dry_run=dry_run)
            if output is Output.TEXT:
                print_applied(result, dry_run=dry_run)
            else:
                results.append(_json(result))
    if output is not Output.TEXT:
        print_document({"dryRun": dry_run, "entries": results}, output)


def _json(result: Applied) -> JsonValue:
    return {
        "name": result.name,
        "outcome": result.outcome.value,
        "differences": [difference._asdict() for difference in result.differences],
    }
