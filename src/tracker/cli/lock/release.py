"""`tracker lock release`: lets a lock go."""

from __future__ import annotations

from typing import Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.exits import USAGE, failures
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import LockId, Token, TokenFile, Who
from tracker.cli.lock.tokens import given_token
from tracker.cli.options import DEFAULT_SERVER, Format, Server, who_default
from tracker.cli.output import Output


@app.command("release", epilog=EPILOG)
def release(  # noqa: PLR0913  # one for each option
    id_: LockId,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Release it without its token; leaves a trail, needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is released by force.")] = "",
    who: Who = None,
    token: Token = None,
    token_file: TokenFile = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Release a lock.

    Doing so twice with the same token is no error.
    """
    from tracker.cli.documents import print_answer
    from tracker.client import Connection
    from tracker.client.locks import UN_LOCK

    if force and not reason.strip():
        raise CommandError("--force needs --reason: whoever had the lock will want to know", USAGE)
    request = UN_LOCK.request(
        id=id_,
        lock_token=given_token(token, token_file),
        force=force,
        reason=reason,
        who=who_default() if who is None else who,
    )
    with failures(output), Connection(server) as connection:
        answer = connection.call(UN_LOCK, request)
    if output is not Output.TEXT:
        print_answer(answer, output)
    elif answer.already_released:
        typer.echo(f"{answer.id} had been released before")
    else:
        typer.echo(f"released {answer.id}{' by force' if answer.forced else ''}")
