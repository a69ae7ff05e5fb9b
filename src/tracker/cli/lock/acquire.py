"""`tracker lock acquire`: takes a lock."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from tracker.cli.exits import failures
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import (
    Environment,
    EventId,
    Labels,
    LockDelay,
    Reason,
    Resource,
    Service,
    Token,
    TokenFile,
    Wait,
    Who,
)
from tracker.cli.lock.tokens import token_to_acquire
from tracker.cli.options import DEFAULT_SERVER, Format, Server
from tracker.cli.output import Output
from tracker.cli.times import duration_option


@app.command("acquire", epilog=EPILOG)
def acquire(  # noqa: PLR0913  # one for each option
    *,
    service: Service,
    environment: Environment = "",
    resource: Resource = "",
    ttl: Annotated[
        timedelta | None,
        duration_option("How long the lease lasts unless renewed; without it, held until released."),
    ] = None,
    wait: Wait = None,
    reason: Reason = "",
    who: Who = None,
    label: Labels = None,
    lock_delay: LockDelay = None,
    event_id: EventId = "",
    token: Token = None,
    token_file: TokenFile = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Take a lock, and print its id and its token.

    The token renews and releases it, and is shown this once. With a --token-file that does not exist, a new
    token is written there, and not shown. Asking again with the same token gives the same lock.
    """
    from tracker.cli.documents import print_answer
    from tracker.cli.lock.shown import print_lock
    from tracker.cli.lock.taking import request_of, take
    from tracker.client import Connection

    secret = token_to_acquire(token, token_file)
    request = request_of(
        service=service,
        environment=environment,
        resource=resource,
        who=who,
        reason=reason,
        labels=label,
        event_id=event_id,
        ttl=ttl,
        lock_delay=lock_delay,
        token=secret.text,
    )
    with failures(output), Connection(server) as connection:
        answer = take(connection, request, wait).answer
    lock = answer.lock
    if output is not Output.TEXT:
        print_answer(answer, output, **({"lockToken": secret.text} if secret.new else {}))
    elif lock is not None:
        print_lock(lock, **({"token": secret.text} if secret.new else {}))
