"""`tracker restore`: replaces the store by a copy."""

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
        bool, typer.Option("--force", help="Replace an existing store, which is kept beside it.")
    ] = False,
) -> None:
    """Restore the store from the copy FILE.

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
