"""The token that commands send to a server: a given one, or that which `tracker login` has stored for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from tracker.cli.exits import USAGE, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_VARIABLE = "TRACKER_TOKEN"  # noqa: S105 - the name of a variable
AUDIENCE_VARIABLE = "TRACKER_AUDIENCE"
PLAIN_HTTP_VARIABLE = "TRACKER_PLAIN_HTTP"

_OTHERS = 0o077
"""Permissions of a file for others than its owner."""


class Credential(NamedTuple):
    """What a command authenticates with; `source` says where its token is from, `` if there is none."""

    token: Callable[[], str] | str = ""
    source: str = ""
    plain_http: bool = False
    """Whether the token is also sent to other machines without TLS."""


class _TokenFile:
    """The token in a file, which may be replaced while a command runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._last = checked(file.read_text("utf-8"), str(file))
        except OSError as error:
            raise CommandError(f"the token can't be read: {file}: {error.strerror}", USAGE) from None
        except UnicodeDecodeError:
            raise CommandError(f"{file} holds no token", USAGE) from None

    def __call__(self) -> str:
        with suppress(OSError, ValueError, CommandError):  # it is just being replaced
            self._last = checked(self._file.read_text("utf-8"), str(self._file))
        return self._last


def credential_for(server: str, token_file: Path | None) -> Credential:
    """Return what a command authenticates with at a server.

    That is the token in a file, else that of `TRACKER_TOKEN`, else one of a job in GitHub Actions for
    `TRACKER_AUDIENCE`, else the stored one.
    """
    plain = os.environ.get(PLAIN_HTTP_VARIABLE, "").lower() in ("1", "true", "yes", "on")
    if token_file is not None:
        return Credential(_TokenFile(token_file), str(token_file), plain)
    if given := os.environ.get(TOKEN_VARIABLE, "").strip():
        return Credential(checked(given, TOKEN_VARIABLE), TOKEN_VARIABLE, plain)
    if audience := os.environ.get(AUDIENCE_VARIABLE, "").strip():
        from tracker.client.github import GithubToken

        if GithubToken.is_offered(os.environ):
            return Credential(GithubToken(audience, os.environ), "GitHub Actions", plain)
    file = _stored_in(server)
    try:
        with file.open(encoding="utf-8") as opened:
            if os.fstat(opened.fileno()).st_mode & _OTHERS:
                raise CommandError(f"others can read {file}; revoke the token in it, and run tracker login")
            return Credential(checked(opened.read(), str(file)), "tracker login", plain_http=True)
    except OSError:
        return Credential()


def store(server: str, token: str) -> Path:
    """Store the token for a server, readable only by this user, and return its file."""
    file = _stored_in(server)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            os.fchmod(descriptor, 0o600)
            written.write(f"{token}\n")
        new.replace(file)
    except OSError as error:
        raise CommandError(f"the token can't be stored: {error.filename}: {error.strerror}") from None
    return file


def forget(server: str) -> bool:
    """Remove the token for a server; return whether there was one."""
    try:
        _stored_in(server).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CommandError(f"the token can't be removed: {error.filename}: {error.strerror}") from None
    return True


def checked(text: str, source: str) -> str:
    """Return a token without white space around it."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError(f"{source} holds no token", USAGE)
    return token


def _stored_in(server: str) -> Path:
    """Return the file of a server."""
    config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    home = Path(os.path.expanduser("~/.config"))  # noqa: PTH111 - raises nothing if there is no home
    folder = (config if config.is_absolute() else home) / "tracker" / "tokens"
    return folder / quote(server.rstrip("/").lower(), safe="")
