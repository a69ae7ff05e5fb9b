"""The group of commands `tracker lock`, and how it takes a wrong command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from tracker.cli.lock.exits import TABLE, USAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click.core import Context

_USUAL = 2
"""What a wrong command line ends with elsewhere."""

_CODES = "\n".join(f"  {code:<6} {meaning}" for code, meaning in TABLE.items())

EPILOG = f"\b\nExit codes:\n{_CODES}"
"""What stands below the help of each command."""


class _LockGroup(TyperGroup):
    """Ends with `USAGE` where the command line is wrong: 2 is what many a command of `run` ends with."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        with _usage_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> object:
        with _usage_errors():
            return super().invoke(ctx)


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except TyperException as error:
        if error.exit_code == _USUAL:
            error.exit_code = USAGE
        raise


app = typer.Typer(
    cls=_LockGroup,
    help="Take locks, keep them, let them go, and run commands under them.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
)
