"""`tracker lock renew`: begins a lease anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from tracker.cli.exits import failures
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import LockId, Token, TokenFile
from tracker.cli.lock.tokens import given_token
from tracker.cli.options import DEFAULT_SERVER, Format, Server
from tracker.cli.output import Output
from tracker.cli.times import duration_option


@app.command("renew", epilog=EPILOG)
def renew(  # noqa: PLR0913  # one for each option
    id_: LockId,
    *,
    ttl: Annotated[
        timedelta | None, duration_option("How long the lease lasts from now on; without it, as before.")
    ] = None,
    token: Token = None,
    token_file: TokenFile = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Renew a lock: its lease begins anew.

    Do so every third of its ttl. A lease that has expired can't be renewed.
    """
    from protobuf.wkt import Duration

    from tracker.cli.documents import print_answer
    from tracker.cli.lock.shown import print_lock
    from tracker.client import Connection
    from tracker.client.locks import RENEW_LOCK

    request = RENEW_LOCK.request(
        id=id_,
        lock_token=given_token(token, token_file),
        ttl=None if ttl is None else Duration.from_timedelta(ttl),
    )
    with failures(output), Connection(server) as connection:
        answer = connection.call(RENEW_LOCK, request)
    if output is not Output.TEXT:
        print_answer(answer, output)
    elif answer.lock is not None:
        print_lock(answer.lock)
