"""`tracker login`, `logout` and `whoami`: the token that commands send, and who they are by it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import credentials
from tracker.cli.calls import Api
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.options import RecordApi, Server
from tracker.cli.printing import console, print_record, say, shown_time

if TYPE_CHECKING:
    from tracker.pb import auth_pb

_LONGEST = 16_384
"""Characters of a token."""


def login(
    *,
    plain_http: Annotated[
        bool,
        typer.Option(
            "--plain-http",
            help="Send the token to another machine even without TLS, where networks can read it.",
        ),
    ] = False,
    api: Server,
) -> None:
    """Store a token for the server, so that commands send it.

    The token is read from the terminal, without showing it, or from standard input. After the server has
    accepted it, it is stored in a file that only you can read.

    Example: tracker login --server https://tracker.example.com
    """
    from tracker.client.rpcs import ME

    token = credentials.checked(_read(api.server), "standard input")
    given = credentials.Credential(token, "standard input", plain_http)
    with Api(api.server).connected(given, send_kept=False) as connection:
        me = connection.call(ME, ME.request())
    if not me.authenticated:
        raise CommandError(f"{api.server} does not know whose token this is")
    file = credentials.store(api.server, token)
    say(f"logged in to {api.server} as {me.display_name or me.principal}; the token is in {file}")


def logout(*, api: Server) -> None:
    """Remove the token that is stored for the server.

    It stays valid: `tracker token revoke` ends it.
    """
    if credentials.forget(api.server):
        say(f"logged out of {api.server}; the token itself stays valid until it expires or is revoked")
    else:
        say(f"no token is stored for {api.server}")


def whoami(*, api: RecordApi) -> None:
    """Show who the server takes the caller for, and what that allows."""
    from tracker.client.rpcs import ME

    answer = api.call(ME, ME.request())
    api.show(answer, lambda: _print(answer, api))


def _print(me: auth_pb.MeResponse, api: Api) -> None:
    whole = "all" if me.scope_all else ""
    print_record(
        {
            "server": api.server,
            "name": me.display_name or me.username or me.kind,
            "principal": me.principal,
            "token of": credentials.credential_for(api.server, api.token_file).source,
            "may": ", ".join(me.permissions) or "nothing",
            "services": ", ".join(me.scope_services) or whole,
            "environments": ", ".join(me.scope_environments) or whole,
            "teams": ", ".join(me.scope_teams) or whole,
            "expires": shown_time(me.expires_at),
        }
    )


def _read(server: str) -> str:
    """Return the token that the user gives: never an argument, which every user of the machine could read."""
    if not sys.stdin.isatty():
        return sys.stdin.read(_LONGEST)
    try:
        return console(err=True).input(f"Token for {server}: ", markup=False, password=True)
    except EOFError:
        raise CommandError("no token was given", USAGE) from None
