"""The progress of long work."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Task

_LINE_SECONDS = 5.0
"""Seconds between two lines of progress without a terminal."""


@contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a progress bar on a terminal, else a line now and then; a total of None is unknown."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    class Rate(ProgressColumn):
        """Steps done a second."""

        def render(self, task: Task) -> str:
            return f"{task.speed:,.0f}/s" if task.speed else ""

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("opening", total=None)
        shown = ""

        def progress(step: str, done: int, total: int | None) -> None:
            nonlocal shown
            if step != shown:
                bars.reset(task, description=step)
                shown = step
            bars.update(task, completed=done, total=total)

        yield progress


class _Lines:
    """Prints a line at the beginning and the end of each step, and every few seconds."""

    def __init__(self) -> None:
        self._step = ""
        self._due = 0.0

    def __call__(self, step: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if step != self._step or done == total or now >= self._due:
            self._step, self._due = step, now + _LINE_SECONDS
            typer.echo(f"{step}: {done:,}" + ("" if total is None else f" of {total:,}"), err=True)
