"""The command line: which commands there are, and how each of them fails."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tracker.cli import (
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
    serve,
    stats,
    version,
)
from tracker.cli.archive.exporting import export
from tracker.cli.archive.importing import import_
from tracker.cli.errors import CommandError
from tracker.cli.exits import ARCHIVE_TABLE, RUN_TABLE, STATS_TABLE, USAGE
from tracker.cli.group import epilog
from tracker.cli.run.command import run
from tracker.config import ConfigurationError

app = typer.Typer(
    help="Record deployments, operations, drifts and incidents; manage a catalog; take deployment locks.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("serv")(serve.serve)
app.command("serve", hidden=True)(serve.serve)
app.command("config")(configuration.config)
app.add_typer(event.app, name="event")
app.command("stats", epilog=epilog(STATS_TABLE))(stats.stats)
app.command("run", epilog=epilog(RUN_TABLE), context_settings={"allow_interspersed_args": False})(run)
app.command("export", epilog=epilog(ARCHIVE_TABLE))(export)
app.command("import", epilog=epilog(ARCHIVE_TABLE))(import_)
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
    """Declare the options that precede a command."""


_WRONG = 2
"""Exit code for a wrong command line."""
_OWN_CODES = frozenset({"catalog", "event", "export", "import", "lock", "run", "stats"})
"""Commands that end with `USAGE` instead: the command of `run` may well end with 2."""


def main() -> None:
    """Run the command that the arguments name; exit with 1 if it fails, and 2 if the command line is wrong.

    A command whose help says so has exit codes of its own.
    """
    try:
        app()
    except SystemExit as end:
        wrong = end.code == _WRONG and isinstance(end.__context__, typer.TyperException)
        sys.exit(USAGE if wrong and sys.argv[1] in _OWN_CODES else end.code)
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(f"tracker: {problem}", err=True)
        sys.exit(2)
    except CommandError as error:
        typer.echo(f"tracker: {error}", err=True)
        sys.exit(error.exit_code)
