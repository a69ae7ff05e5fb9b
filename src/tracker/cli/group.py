"""Groups of commands that ask a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping


def epilog(codes: Mapping[str, str]) -> str:
    """Return the text that follows the help of a command: its exit codes."""
    lines = "\n".join(f"  {code:<6} {meaning}" for code, meaning in codes.items())
    return f"\b\nExit codes:\n{lines}"


def client_group(help_: str, epilog_: str) -> typer.Typer:
    """Return a group that commands are added to."""
    return typer.Typer(help=help_, epilog=epilog_, no_args_is_help=True, rich_markup_mode=None)
