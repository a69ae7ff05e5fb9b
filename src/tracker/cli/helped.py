"""Commands and groups of them, with the help that they print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from tracker.cli.exits import epilog

_LONGEST_SENTENCE = 200
"""Characters of a sentence that stands for a command in a list of commands."""


class HelpedCommand(TyperCommand):
    """A command whose help breaks no example."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # those of the class above it
        super().__init__(*args, **kwargs)
        self.help = re.sub("^Example:", "\b\nExample:", self.help or "", flags=re.MULTILINE)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401  # of a private class of typer
        """Return what follows the name in the usage: what is required stands there as it is."""
        return [each.replace("{", "").replace("}", "") for each in super().collect_usage_pieces(ctx)]

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002  # lists of commands have several lines
        """Return the first sentence of the help."""
        return super().get_short_help_str(_LONGEST_SENTENCE)


class HelpedGroup(TyperGroup):
    """Commands, without the options of typer that install its own scripts for completion."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401  # of a private class of typer
        """Return the options that precede a command."""
        scripts = ("install_completion", "show_completion")
        return [each for each in super().get_params(ctx) if each.name not in scripts]

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002  # as above
        """Return the first sentence of the help."""
        return super().get_short_help_str(_LONGEST_SENTENCE)


def client_group(help_: str, codes: Mapping[str, str]) -> typer.Typer:
    """Return a group that commands are added to."""
    return typer.Typer(
        cls=HelpedGroup, help=help_, epilog=epilog(codes), no_args_is_help=True, rich_markup_mode=None
    )
