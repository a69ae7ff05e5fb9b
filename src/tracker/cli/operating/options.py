"""The options that these commands share: settings that may be wrong, and a server to ask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.helped import Options
from tracker.cli.options import address
from tracker.cli.server import configuration_of, settings_options
from tracker.config import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def lenient_settings() -> Options:
    """Return the options of `settings_options` that make a `Configuration`, or else its problems."""
    strict = settings_options()

    def made(given: Mapping[str, object]) -> object:
        try:
            return configuration_of(given)
        except ConfigurationError as error:
            return error.problems

    return Options(strict.declared, made)


def _url(context: typer.Context, text: str) -> str:
    """Return the server given to the command, else the one given before it; `` for this machine's."""
    text = text or context.find_root().params.get("server") or ""
    return address(text) if text else ""


OtherServer = Annotated[
    str,
    typer.Option(
        "--server", metavar="URL", callback=_url, help="Check this server from here, not this machine."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="TRACKER_TOKEN_FILE",
        metavar="FILE",
        help="With --server, file of the token to send.  [default: that of TRACKER_TOKEN or `tracker login`]",
    ),
]
BackupPlace = Annotated[
    Path | None,
    typer.Option(
        "--backups", envvar="TRACKER_BACKUPS", metavar="PATH", help="Folder of your backups, or one of them."
    ),
]
