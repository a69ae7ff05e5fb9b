"""`tracker catalog delete`."""

from __future__ import annotations

import typer

from tracker.cli.catalog.group import EPILOG, Name, app
from tracker.cli.exits import failures
from tracker.cli.options import DEFAULT_SERVER, Format, Server, Yes, confirm_deletion
from tracker.cli.output import Output


@app.command("delete", epilog=EPILOG)
def delete(
    name: Name, *, yes: Yes = False, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT
) -> None:
    """Delete an entry for good; entries that name it stay as they are."""
    from tracker.cli.documents import print_answer
    from tracker.client import Connection
    from tracker.client.catalog import DELETE_CATALOG

    with failures(output), Connection(server) as connection:
        if not yes:
            confirm_deletion("entry", lambda: name)
        answer = connection.call(DELETE_CATALOG, DELETE_CATALOG.request(name=name))
    if output is not Output.TEXT:
        print_answer(answer, output)
    else:
        typer.echo(f"deleted {answer.name}")
