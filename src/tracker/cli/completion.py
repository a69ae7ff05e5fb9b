"""`tracker completion`: lets a shell complete commands, options and values."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """A shell with completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(context: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell.")]) -> None:
    """Print the script that lets a shell complete commands, options and values.

    `tracker --install-completion` installs it for the current shell.

    Example: source <(tracker completion bash)
    """
    os.environ["_TRACKER_COMPLETE"] = f"source_{shell}"  # the request that the script itself makes
    context.find_root().command(prog_name="tracker")
