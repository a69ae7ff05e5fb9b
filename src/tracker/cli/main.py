"""The command line: which commands there are, and how each of them fails."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tracker.cli import (
    archive,
    backup,
    catalog,
    completion,
    configuration,
    demo,
    event,
    healthcheck,
    lock,
    migrate,
    restore,
    run,
    serve,
    stats,
    version,
)
from tracker.cli.errors import CommandError
from tracker.cli.group import ClientCommand
from tracker.config import ConfigurationError

app = typer.Typer(
    help="Record deployments, operations, drifts and incidents; keep a catalog; take deployment locks.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("serv")(serve.serve)
app.command("serve", hidden=True)(serve.serve)
app.command("config")(configuration.config)
app.add_typer(event.app, name="event")
app.command("stats", cls=ClientCommand, epilog=stats.EPILOG)(stats.stats)
app.command(
    "run",
    cls=ClientCommand,
    epilog=run.EPILOG,
    context_settings={"allow_interspersed_args": False},
)(run.run)
app.command("export", cls=ClientCommand, epilog=archive.EPILOG)(archive.export)
app.command("import", cls=ClientCommand, epilog=archive.EPILOG)(archive.import_)
app.add_typer(lock.app, name="lock")
app.add_typer(catalog.app, name="catalog")
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("migrate")(migrate.migrate)
app.command("demo")(demo.demo)
app.command("healthcheck")(healthcheck.healthcheck)
app.command("completion")(completion.completion)
app.command("version")(version.version)


@app.callback()
def _options(
    *,
    show: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=version.print_and_exit, is_eager=True),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command that the arguments name; exit with 1 where it fails, 2 where it was told wrongly.

    A command whose help says so has exit codes of its own.
    """
    try:
        app()
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(f"tracker: {problem}", err=True)
        sys.exit(2)
    except CommandError as error:
        typer.echo(f"tracker: {error}", err=True)
        sys.exit(error.exit_code)
