"""`tracker lock acquire`, `renew`, `release`, `list` and `show`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import ask
from tracker.cli.errors import CommandError
from tracker.cli.exits import USAGE, failures
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import (
    Environment,
    LockId,
    LockOptions,
    Resource,
    Service,
    Token,
    TokenFile,
    Wait,
    Who,
    takes_lock,
)
from tracker.cli.lock.tokens import given_token, token_to_acquire
from tracker.cli.options import DEFAULT_SERVER, Format, ListFormat, Server, who_default
from tracker.cli.output import Output
from tracker.cli.times import duration_option

if TYPE_CHECKING:
    from tracker.pb import lock_pb


@app.command("acquire", epilog=EPILOG)
@takes_lock()
def acquire(  # noqa: PLR0913  # one for each option
    wanted: LockOptions,
    *,
    ttl: Annotated[
        timedelta | None,
        duration_option("Length of the lease unless renewed; without it, the lock is held until released."),
    ] = None,
    wait: Wait = None,
    token: Token = None,
    token_file: TokenFile = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Take a lock, and print its id and its token.

    The token renews and releases it, and is printed only once. If the file of --token-file does not exist, a
    new token is written there, and not printed. Repeated with the same token, the command returns the same
    lock.
    """
    from tracker.cli.documents import print_answer
    from tracker.cli.lock.shown import print_lock
    from tracker.cli.lock.taking import take
    from tracker.client import Connection
    from tracker.pb import lock_pb

    secret = token_to_acquire(token, token_file)
    with failures(output), Connection(server) as connection:
        answer = take(connection, wanted.request(ttl, secret.text), wait).answer
    lock, shown = answer.lock or lock_pb.Lock(), secret.text if secret.new else ""
    print_answer(
        answer, output, lambda: print_lock(lock, token=shown), more={"lockToken": shown} if shown else None
    )


@app.command("renew", epilog=EPILOG)
def renew(  # noqa: PLR0913  # one for each option
    id_: LockId,
    *,
    ttl: Annotated[
        timedelta | None, duration_option("Length of the lease from now on; by default as before.")
    ] = None,
    token: Token = None,
    token_file: TokenFile = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Renew the lease of a lock.

    Do so after every third of its ttl. An expired lease can't be renewed.
    """
    from protobuf.wkt import Duration

    from tracker.client.locks import RENEW_LOCK

    length = None if ttl is None else Duration.from_timedelta(ttl)
    request = RENEW_LOCK.request(id=id_, lock_token=given_token(token, token_file), ttl=length)
    _print(ask(server, output, RENEW_LOCK, request), output)


@app.command("release", epilog=EPILOG)
def release(  # noqa: PLR0913  # one for each option
    id_: LockId,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Release it without its token; recorded, and needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is released by force.")] = "",
    who: Who = None,
    token: Token = None,
    token_file: TokenFile = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Release a lock.

    Repeating it with the same token is not an error.
    """
    from tracker.cli.documents import print_answer
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
    answer = ask(server, output, UN_LOCK, request)
    text = f"released {answer.id}{' by force' if answer.forced else ''}"
    if answer.already_released:
        text = f"{answer.id} had been released before"
    print_answer(answer, output, lambda: typer.echo(text))


@app.command("list", epilog=EPILOG)
def list_locks(
    *,
    service: Service = "",
    environment: Environment = "",
    resource: Resource = "",
    server: Server = DEFAULT_SERVER,
    output: ListFormat = Output.TEXT,
) -> None:
    """List held locks, newest first.

    Without --service, --environment and --resource, all of them.
    """
    from tracker.cli.documents import print_answer
    from tracker.cli.lock.shown import COLUMNS, lock_row, print_locks
    from tracker.client.locks import LIST_LOCKS

    request = LIST_LOCKS.request(service=service, environment=environment, resource=resource)
    answer = ask(server, output, LIST_LOCKS, request)
    print_answer(
        answer,
        output,
        lambda: print_locks(answer.locks),
        records=answer.locks,
        columns=map(str.lower, COLUMNS),
        rows=map(lock_row, answer.locks),
    )


@app.command("show", epilog=EPILOG)
def show(id_: LockId, *, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT) -> None:
    """Show a lock."""
    from tracker.client.locks import GET_LOCK

    _print(ask(server, output, GET_LOCK, GET_LOCK.request(id=id_)), output)


def _print(answer: lock_pb.GetLockResponse | lock_pb.RenewLockResponse, output: Output) -> None:
    from tracker.cli.documents import print_answer
    from tracker.cli.lock.shown import print_lock
    from tracker.pb import lock_pb

    lock = answer.lock or lock_pb.Lock()
    print_answer(answer, output, lambda: print_lock(lock))
