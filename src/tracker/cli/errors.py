"""Failures of commands that the user can do something about."""

from __future__ import annotations


class CommandError(Exception):
    """A command failed; the message is one line that says why and what to do.

    `exit_code` is what the process ends with.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
