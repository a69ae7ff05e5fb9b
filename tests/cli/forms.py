"""The commands that have `--output`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def forms(command: Any = None, *path: str) -> Iterator[tuple[str, list[str]]]:
    """Give each command that has `--output`, with the forms that its help names."""
    command = command or app
    for parameter in command.params:
        if "--output" in parameter.opts and parameter.metavar.startswith("["):
            yield " ".join(path), parameter.metavar.strip("[]").split("|")
    for name, below in getattr(command, "commands", {}).items():
        yield from forms(below, *path, name)


FORMS = dict(forms())
