"""`tracker version`: which Tracker this is."""

from __future__ import annotations

import typer

from tracker import __version__


def version() -> None:
    """Print the version."""
    typer.echo(f"tracker {__version__}")


def print_and_exit(wanted: bool) -> None:  # noqa: FBT001  # how typer calls it
    """Answer `--version`."""
    if wanted:
        version()
        raise typer.Exit
