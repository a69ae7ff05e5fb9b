"""The options that commands which call a server share."""

from __future__ import annotations

import getpass
import socket
import sys
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from tracker.cli.errors import CommandError
from tracker.cli.event_fields import query_names
from tracker.cli.exits import USAGE
from tracker.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_SERVER = "http://localhost:8080"

_SEVERAL = {
    Output.NDJSON: "has a line for each of several records",
    Output.CSV: "is a table of several records",
}
"""Why a command may lack a form of output."""


def _server(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise typer.BadParameter(f"expected an address such as http://localhost:8080, got {text!r}")
    return text


def label_option(text: str) -> str:
    """Return a label as it was written, if it is one."""
    if "=" not in text or text.startswith("="):
        raise typer.BadParameter(f"expected NAME=VALUE, got {text!r}")
    return text


def label(text: str) -> tuple[str, str]:
    """Return the name and the value of a label."""
    name, _, value = text.partition("=")
    return name, value


def output_option(help_: str, *forms: Output) -> object:
    """Return the option for the form of output: text, or one of these."""
    known = [Output.TEXT, *forms]

    def parsed(text: str) -> Output:
        if text in known:
            return Output(text)
        why = f"{text} {_SEVERAL[Output(text)]}; " if text in set(_SEVERAL) else ""
        raise typer.BadParameter(f"{why}expected one of {', '.join(known)}, got {text!r}")

    return typer.Option(
        "--output",
        parser=parsed,
        autocompletion=lambda: list(map(str, known)),
        metavar=f"[{'|'.join(known)}]",
        help=help_,
    )


def query_of(words: list[str] | None, option: str) -> str:
    """Return the query of a command, given as arguments or by `--query`; `` for none.

    Raises:
        CommandError: It was given both ways.
    """
    if words and option:
        raise CommandError("expected one query, as arguments or by --query, got both", USAGE)
    return option or " ".join(words or ())


Server = Annotated[
    str,
    typer.Option(envvar="TRACKER_SERVER", metavar="URL", callback=_server, help="URL of the server."),
]
Format = Annotated[
    Output,
    output_option(
        "`json` prints one JSON document, also if the command fails; `yaml` one of YAML.",
        Output.JSON,
        Output.YAML,
    ),
]
ListFormat = Annotated[
    Output,
    output_option(
        "`json` and `yaml` print one document, `ndjson` a record on each line, `csv` a table.",
        Output.JSON,
        Output.NDJSON,
        Output.YAML,
        Output.CSV,
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="QUERY", autocompletion=query_names, help="Query for events; several arguments form one."
    ),
]
QueryOption = Annotated[
    str, typer.Option("--query", metavar="QUERY", help="The query, instead of arguments.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation; required without a terminal.")]


def confirm_deletion(what: str, title: Callable[[], str]) -> None:
    """Ask for confirmation to delete something; the command ends without it.

    Raises:
        CommandError: There is no terminal.
    """
    if not sys.stdin.isatty():
        raise CommandError(f"nobody is there to ask; give --yes to delete the {what} for good", USAGE)
    typer.confirm(f"Delete {title()!r} for good?", abort=True)


def who_default() -> str:
    """Return the user and the machine that run this."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
