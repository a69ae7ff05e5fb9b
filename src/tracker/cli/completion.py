"""`tracker completion`: has a shell complete commands, options and values."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """A shell that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(help="For which shell.")]
) -> None:
    """Print the script with which a shell completes commands, options and values.

    `tracker --install-completion` sets up the shell that it is called from.

    Example: source <(tracker completion bash)
    """
    from typer.completion import shell_complete

    shell_complete(context.find_root().command, {}, "tracker", "_TRACKER_COMPLETE", f"source_{shell}")
