"""The token of a lock: given, read from a file, or new."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tracker.cli.errors import CommandError
from tracker.cli.exits import USAGE

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = 32


class Token(NamedTuple):
    """A token, and whether it is new and thus unknown to the user."""

    text: str
    new: bool


def new_token() -> str:
    """Return a random token."""
    import secrets

    return secrets.token_urlsafe(_BYTES)


def given_token(token: str | None, file: Path | None) -> str:
    """Return the token that a command was given, `` for none.

    Raises:
        CommandError: The file can't be read, or there are two tokens.
    """
    if file is None:
        return token or ""
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise CommandError(f"the token can't be read: {error}", USAGE) from None
    if token and token != text:
        raise CommandError(f"{file} and TRACKER_LOCK_TOKEN (or --token) hold different tokens", USAGE)
    return text


def token_to_acquire(token: str | None, file: Path | None) -> Token:
    """Return the token to take a lock with: the one given, or a new one.

    A new one is written to `file`, for its owner's eyes only, before the lock is asked for.

    Raises:
        CommandError: The file can't be read or written, or there are two tokens.
    """
    if file is None:
        return Token(token, new=False) if token else Token(new_token(), new=True)
    if file.exists():
        return Token(given_token(token, file), new=False)
    text = token or new_token()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(text + "\n")
    except OSError as error:
        raise CommandError(f"the token can't be written: {error}", USAGE) from None
    return Token(text, new=False)
