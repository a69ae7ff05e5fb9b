"""The command line: which commands there are, and how each of them fails."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from tracker import __version__
from tracker.cli.exits import (
    ACCESS_TABLE,
    ARCHIVE_TABLE,
    DOCTOR_TABLE,
    GATE_TABLE,
    RETENTION_TABLE,
    RUN_TABLE,
    STATS_TABLE,
    USAGE,
    CommandError,
)
from tracker.cli.helped import HelpedGroup, made
from tracker.cli.options import ServerBefore, TokenFileBefore, word_of
from tracker.cli.printing import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.cli.helped import Command, Maker

_SHELLS = ("bash", "zsh", "fish")
_SCRIPTS = Path(__file__).parent / "completion"


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


def version() -> None:
    """Print the version."""
    typer.echo(f"tracker {__version__}")


def _command(place: str, codes: Mapping[str, str] | None = None, **settings: Any) -> Maker:  # noqa: ANN401 - typer's
    """Return what makes the command of a function, such as `stats:stats`; its module is imported then."""
    module, _, function = place.partition(":")
    return lambda name: made(
        getattr(import_module(f"tracker.cli.{module}"), function), name, codes=codes, **settings
    )


def _group(module: str) -> Maker:
    """Return what imports the group of a module."""

    def imported(_: str) -> Command:
        group: HelpedGroup = import_module(f"tracker.cli.{module}").app
        return group

    return imported


_SECTIONS: Mapping[str, Mapping[str, Maker]] = {
    "Record and coordinate": {
        "event": _group("event.commands"),
        "run": _command("run.command:run", RUN_TABLE, context_settings={"allow_interspersed_args": False}),
        "lock": _group("lock.commands"),
        "freeze": _group("freeze.commands"),
        "catalog": _group("catalog.commands"),
    },
    "Ask": {
        "why": _command("why.command:why", STATS_TABLE),
        "can-deploy": _command("can_deploy:can_deploy", GATE_TABLE),
        "versions": _command("versions:versions", STATS_TABLE),
        "dora": _command("dora.command:dora", STATS_TABLE),
        "stats": _command("stats:stats", STATS_TABLE),
    },
    "Connect": {
        "webhook": _group("webhook.commands"),
        "intake": _group("intake.commands"),
        "terraform": _group("terraform.commands"),
        "mcp": _command("mcp:mcp"),
        "view": _group("view"),
    },
    "Keep, move and delete": {
        "export": _command("archive.commands:export", ARCHIVE_TABLE),
        "import": _command("archive.commands:import_", ARCHIVE_TABLE),
        "retention": _group("retention.commands"),
        "hold": _group("retention.holds"),
        "erase": _command("retention.erasing:erase", RETENTION_TABLE),
    },
    "Access": {
        "login": _command("access.login:login", ACCESS_TABLE),
        "logout": _command("access.login:logout", ACCESS_TABLE),
        "whoami": _command("access.login:whoami", ACCESS_TABLE),
        "session": _group("access.sessions"),
        "token": _group("access.tokens"),
        "audit": _group("audit.commands"),
    },
    "Operate": {
        "serv": _command("server:serve"),
        "serve": _command("server:serve", hidden=True),
        "config": _command("server:config"),
        "demo": _command("copying:demo"),
        "doctor": _command("operating.doctor:doctor", DOCTOR_TABLE),
        "top": _command("operating.top:top", STATS_TABLE),
        "healthcheck": _command("server:healthcheck"),
        "support-bundle": _command("operating.bundle:support_bundle"),
        "backup": _command("copying:backup"),
        "restore": _command("copying:restore"),
        "migrate": _command("copying:migrate"),
        "compact": _command("copying:compact"),
    },
    "Other": {
        "completion": partial(made, completion),
        "version": partial(made, version),
    },
}
"""Commands by name, under the headings of the help."""
LOCAL = frozenset(
    (
        *("backup", "compact", "completion", "config", "demo", "healthcheck", "migrate", "restore"),
        *("serv", "serve", "support-bundle", "version"),
    )
)
"""Commands that call no server."""

_before = typer.Typer(
    cls=HelpedGroup,
    help="Record deployments, operations, drifts and incidents; manage a catalog; take deployment locks.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - how typer calls it
    """Answer `--version`."""
    if wanted:
        version()
        raise typer.Exit


@_before.callback()
def _options(
    context: typer.Context,
    *,
    server: ServerBefore = "",
    token_file: TokenFileBefore = None,
    show: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Declare the options that precede a command."""
    given = "--server" if server else "--token-file"
    if (server or token_file) and context.invoked_subcommand in LOCAL:
        raise typer.BadParameter(f"{context.invoked_subcommand} calls no server", param_hint=given)


app: HelpedGroup = get_command(_before)  # type: ignore[assignment]  # of the class that it was given
for _names in _SECTIONS.values():
    app.commands.update(_names)
app.sections = _SECTIONS

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
    except CommandError as error:
        for line in str(error).splitlines():
            say(line)
        sys.exit(error.exit_code)
