"""Groups of commands that ask a server, and how they take a wrong command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from tracker.cli.exits import USAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typer._click.core import Context

_USUAL = 2
"""What a wrong command line ends with elsewhere."""


class _ClientGroup(TyperGroup):
    """Ends with `USAGE` where the command line is wrong: 2 is what many a command of `run` ends with."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        with _usage_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> object:
        with _usage_errors():
            return super().invoke(ctx)


class ClientCommand(TyperCommand):
    """A command that ends like those of a group."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the command line."""
        with _usage_errors():
            return super().parse_args(ctx, args)


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except TyperException as error:
        if error.exit_code == _USUAL:
            error.exit_code = USAGE
        raise


def epilog(codes: Mapping[str, str]) -> str:
    """Return what stands below the help of a command: its exit codes."""
    lines = "\n".join(f"  {code:<6} {meaning}" for code, meaning in codes.items())
    return f"\b\nExit codes:\n{lines}"


def client_group(help_: str, epilog_: str) -> typer.Typer:
    """Return a group that commands are added to."""
    return typer.Typer(
        cls=_ClientGroup, help=help_, epilog=epilog_, no_args_is_help=True, rich_markup_mode=None
    )
