"""Stores as arguments of commands that open them."""

from __future__ import annotations

import os

from tracker.cli.errors import CommandError

PLACE = "A file, a MongoDB address, or env:NAME for a variable that has one of these."
"""The forms of the argument, for the help."""


def place(given: str, argument: str) -> str:
    """Return the place of a store, from a variable if the argument names one."""
    if not given.startswith("env:"):
        return given
    name = given.removeprefix("env:")
    place = os.environ.get(name, "")
    if not place:
        raise CommandError(f"{argument} names the environment variable {name}, which is not set")
    return place


class Unobserved:
    """Discards the measurements of a store."""

    def committed(self, seconds: float, changes: int) -> None:
        """Discard a commit."""

    def queued(self, changes: int) -> None:
        """Discard the length of a queue."""
