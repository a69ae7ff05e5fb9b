"""`tracker restore`: puts a copy back in the place of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.settings import takes_settings
from tracker.config import Configuration


@takes_settings("database_path")
def restore(
    configuration: Configuration,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy made by `tracker backup`.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the store that is there; it is kept beside.")
    ] = False,
) -> None:
    """Put the copy FILE in the place of the store.

    Stop the server first.
    """
    from tracker.stores.sqlite import backup as copies

    target = configuration.settings.database_path
    try:
        restored = copies.restore(file, target, force=force)
    except copies.BackupError as error:
        raise CommandError(str(error)) from None
    typer.echo(f"{target}: {restored.events} events, {restored.bytes} bytes")
    if restored.kept is not None:
        typer.echo(f"what was there is now {restored.kept}")
