"""The command line: which commands there are, and how each of them fails."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tracker import __version__
from tracker.cli import copying, server
from tracker.cli.access.login import login, logout, whoami
from tracker.cli.access.sessions import app as session
from tracker.cli.access.tokens import app as token
from tracker.cli.archive.commands import export, import_
from tracker.cli.audit.commands import app as audit
from tracker.cli.can_deploy import can_deploy
from tracker.cli.catalog.commands import app as catalog
from tracker.cli.dora.command import dora
from tracker.cli.event.commands import app as event
from tracker.cli.exits import (
    ACCESS_TABLE,
    ARCHIVE_TABLE,
    GATE_TABLE,
    RETENTION_TABLE,
    RUN_TABLE,
    STATS_TABLE,
    USAGE,
    CommandError,
)
from tracker.cli.freeze.commands import app as freeze
from tracker.cli.helped import HelpedCommand, HelpedGroup
from tracker.cli.intake.commands import app as intake
from tracker.cli.lock.commands import app as lock
from tracker.cli.mcp import mcp
from tracker.cli.operating.bundle import support_bundle
from tracker.cli.operating.doctor import doctor
from tracker.cli.operating.options import DOCTOR_TABLE
from tracker.cli.operating.top import top
from tracker.cli.options import ServerBefore, TokenFileBefore, command_of, word_of
from tracker.cli.printing import say
from tracker.cli.retention.commands import app as retention
from tracker.cli.retention.erasing import erase
from tracker.cli.retention.holds import app as hold
from tracker.cli.run.command import run
from tracker.cli.stats import stats
from tracker.cli.terraform.commands import app as terraform
from tracker.cli.versions import versions
from tracker.cli.view import app as view
from tracker.cli.webhook.commands import app as webhook
from tracker.cli.why.command import why
from tracker.config import ConfigurationError

app = typer.Typer(
    cls=HelpedGroup,
    help="Record deployments, operations, drifts and incidents; manage a catalog; take deployment locks.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
command = partial(command_of, app)
app.command("serve", hidden=True)(command("serv")(server.serve))
command("config")(server.config)
app.add_typer(event, name="event")
command("stats", codes=STATS_TABLE)(stats)
command("why", codes=STATS_TABLE)(why)
command("versions", codes=STATS_TABLE)(versions)
command("dora", codes=STATS_TABLE)(dora)
command("run", codes=RUN_TABLE, context_settings={"allow_interspersed_args": False})(run)
command("can-deploy", codes=GATE_TABLE)(can_deploy)
command("export", codes=ARCHIVE_TABLE)(export)
command("import", codes=ARCHIVE_TABLE)(import_)
app.add_typer(lock, name="lock")
app.add_typer(catalog, name="catalog")
app.add_typer(freeze, name="freeze")
command("mcp")(mcp)
app.add_typer(intake, name="intake")
app.add_typer(retention, name="retention")
app.add_typer(hold, name="hold")
command("erase", codes=RETENTION_TABLE)(erase)
command("login", codes=ACCESS_TABLE)(login)
command("logout", codes=ACCESS_TABLE)(logout)
command("whoami", codes=ACCESS_TABLE)(whoami)
app.add_typer(session, name="session")
app.add_typer(token, name="token")
app.add_typer(audit, name="audit")
app.add_typer(view, name="view")
app.add_typer(webhook, name="webhook")
app.add_typer(terraform, name="terraform")
command("backup")(copying.backup)
command("restore")(copying.restore)
command("migrate")(copying.migrate)
command("compact")(copying.compact)
command("demo")(copying.demo)
command("healthcheck")(server.healthcheck)
command("doctor", codes=DOCTOR_TABLE)(doctor)
command("top", codes=STATS_TABLE)(top)
command("support-bundle")(support_bundle)


_SHELLS = ("bash", "zsh", "fish")
_SCRIPTS = Path(__file__).parent / "completion"


@app.command("completion", cls=HelpedCommand)
def completion(
    shell: Annotated[
        str,
        typer.Argument(
            metavar="SHELL",
            parser=word_of(*_SHELLS),
            autocompletion=lambda: list(_SHELLS),
            help="The shell: bash, zsh or fish.",
        ),
    ],
) -> None:
    """Print the script that lets a shell complete commands, options and values.

    Example: source <(tracker completion bash)
    """
    typer.echo((_SCRIPTS / f"tracker.{shell}").read_text("utf-8"), nl=False)


@app.command("version", cls=HelpedCommand)
def version() -> None:
    """Print the version."""
    typer.echo(f"tracker {__version__}")


def _print_version(wanted: bool) -> None:  # noqa: FBT001  # how typer calls it
    """Answer `--version`."""
    if wanted:
        version()
        raise typer.Exit


_CALLING = frozenset(
    (
        "audit",
        "can-deploy",
        "catalog",
        "doctor",
        "event",
        "erase",
        "export",
        "freeze",
        "hold",
        "intake",
        "import",
        "lock",
        "login",
        "logout",
        "mcp",
        "retention",
        "run",
        "stats",
        "terraform",
        "token",
        "top",
        "versions",
        "webhook",
        "whoami",
        "why",
    )
)
"""Commands that call a server."""


@app.callback()
def _options(
    context: typer.Context,
    *,
    server: ServerBefore = "",
    token_file: TokenFileBefore = None,
    show: Annotated[  # noqa: ARG001  # its callback answers
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Declare the options that precede a command."""
    given = "--server" if server else "--token-file"
    if (server or token_file) and context.invoked_subcommand not in _CALLING:
        raise typer.BadParameter(f"{context.invoked_subcommand} calls no server", param_hint=given)


_WRONG = 2
"""Exit code of typer for a wrong command line."""


def main() -> None:
    """Run the command that the arguments name; exit with 1 if it fails, and 2 if a setting is wrong.

    A wrong command line ends with `USAGE`; a command whose help says so has exit codes of its own.
    """
    try:
        app()
    except SystemExit as end:
        wrong = end.code == _WRONG and isinstance(end.__context__, typer.TyperException)
        sys.exit(USAGE if wrong else end.code)
    except ConfigurationError as error:
        for problem in error.problems:
            say(problem)
        sys.exit(2)
    except CommandError as error:
        say(str(error))
        sys.exit(error.exit_code)
