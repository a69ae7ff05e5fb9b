"""What commands share that work on a store themselves."""

from __future__ import annotations

import os

from tracker.cli.errors import CommandError

INTERRUPTED = 130
"""Exit code of a process that was interrupted, as shells count it."""

PLACE = "A file, a MongoDB address, or env:NAME for a variable that has one of these."
"""How a store is named, for the help."""


def place(given: str, argument: str) -> str:
    """Return where a store is, from the variable that is named, or as it is given."""
    if not given.startswith("env:"):
        return given
    name = given.removeprefix("env:")
    place = os.environ.get(name, "")
    if not place:
        raise CommandError(f"{argument} names the environment variable {name}, which is not set")
    return place


class Unobserved:
    """Measures nothing of a store's work."""

    def committed(self, seconds: float, changes: int) -> None:
        """Pass over a commit."""

    def queued(self, changes: int) -> None:
        """Pass over the length of a queue."""
