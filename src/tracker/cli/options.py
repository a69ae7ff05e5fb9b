"""The options that commands share which ask a server."""

from __future__ import annotations

import getpass
import socket
from typing import Annotated
from urllib.parse import urlsplit

import typer

from tracker.cli.output import Output

DEFAULT_SERVER = "http://localhost:8080"


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


Server = Annotated[
    str,
    typer.Option(envvar="TRACKER_SERVER", metavar="URL", callback=_server, help="Address of the server."),
]
Format = Annotated[
    Output, typer.Option("--output", help="`json` prints one JSON document, also where the command fails.")
]


def who_default() -> str:
    """Return who runs this, and where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
