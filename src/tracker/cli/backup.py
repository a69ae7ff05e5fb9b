"""`tracker backup`: copies the store, also while a server uses it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.settings import takes_settings
from tracker.config import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@takes_settings("database_path")
def backup(
    configuration: Configuration,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Target of the copy; must not exist.")],
) -> None:
    """Copy the store to FILE.

    A server may use the store meanwhile. The copy is its state at one moment, and is verified.
    """
    from tracker.stores.sqlite import backup as copies

    source = configuration.settings.database_path
    try:
        with _bar(f"Copying {source}") as progress:
            copied = copies.backup(source, file, progress)
    except copies.BackupError as error:
        raise CommandError(str(error)) from None
    typer.echo(f"{file}: {copied.events} events, {copied.bytes} bytes")


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal, else nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
