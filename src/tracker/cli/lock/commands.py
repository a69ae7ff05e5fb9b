"""`tracker lock`: takes, renews, releases and lists locks, and runs a command under one."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated

import typer

from tracker.cli.exits import LOCK_TABLE, USAGE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.lock.options import (
    Environment,
    Grace,
    LockId,
    LockToTake,
    Resource,
    RunTtl,
    Service,
    Token,
    TokenFile,
    Wait,
    given_token,
    lease_terms,
    new_token,
    token_to_acquire,
)
from tracker.cli.lock.shown import LOCKS, print_lock
from tracker.cli.options import ListApi, LockTokenApi, RecordApi, Server, Who, command_of
from tracker.cli.printing import echo, json_of
from tracker.cli.short_ids import whole_lock_id
from tracker.cli.time_options import duration, duration_option

app = client_group("Take, renew, release and list locks, and run commands under them.", LOCK_TABLE)
command = partial(command_of, app, codes=LOCK_TABLE)


@command("acquire")
def acquire(
    wanted: LockToTake,
    *,
    ttl: Annotated[
        timedelta | None,
        duration_option(
            "Length of the lease unless renewed; without it, until released, or 4 hours with --wait."
        ),
    ] = None,
    wait: Wait = None,
    token: Token = None,
    token_file: TokenFile = None,
    api: LockTokenApi,
) -> None:
    """Take a lock, and print its id and its token.

    The token renews and releases it, and is printed only once. If the file of --token-file does not exist, a
    new token is written there, and not printed. Repeated with the same token, the command returns the same
    lock.
    """
    from tracker.cli.lock.holding import take
    from tracker.pb import lock_pb

    secret, is_new = token_to_acquire(token, token_file)
    with api.connected() as connection:
        answer, _ = take(connection, wanted.request(api, ttl, secret), wait)
    lock, shown = answer.lock or lock_pb.Lock(), {"lockToken": secret} if is_new else {}
    api.show(
        lambda: {**json_of(answer, api.output), **shown},
        lambda: print_lock(lock, token=secret if is_new else ""),
    )


@command("renew")
def renew(
    id_: LockId,
    *,
    ttl: Annotated[
        timedelta | None, duration_option("Length of the lease from now on.  [default: as before]")
    ] = None,
    token: Token = None,
    token_file: TokenFile = None,
    api: LockTokenApi,
) -> None:
    """Renew the lease of a lock.

    Do so after every third of its ttl. An expired lease can't be renewed.
    """
    from tracker.client.rpcs import RENEW_LOCK
    from tracker.pb import lock_pb

    request = RENEW_LOCK.request(
        id=whole_lock_id(api, id_), lock_token=given_token(token, token_file), ttl=duration(ttl)
    )
    answer = api.call(RENEW_LOCK, request)
    api.show(answer, lambda: print_lock(answer.lock or lock_pb.Lock()))


@command("release")
def release(
    id_: LockId,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Release it without its token; recorded, and needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is released by force.")] = "",
    who: Who,
    token: Token = None,
    token_file: TokenFile = None,
    api: LockTokenApi,
) -> None:
    """Release a lock.

    Repeating it with the same token is not an error.
    """
    from tracker.client.rpcs import UN_LOCK

    if force and not reason.strip():
        raise CommandError("--force needs --reason: whoever had the lock will want to know", USAGE)
    request = UN_LOCK.request(
        id=whole_lock_id(api, id_),
        lock_token=given_token(token, token_file),
        force=force,
        reason=reason,
        who=who,
    )
    answer = api.call(UN_LOCK, request)
    text = f"released {answer.id}{' by force' if answer.forced else ''}"
    if answer.already_released:
        text = f"{answer.id} had been released before"
    api.show(answer, lambda: echo(text))


@command("list")
def list_locks(
    *, service: Service = "", environment: Environment = "", resource: Resource = "", api: ListApi
) -> None:
    """List held locks, newest first.

    Without --service, --environment and --resource, all of them.
    """
    from tracker.client.rpcs import LIST_LOCKS

    request = LIST_LOCKS.request(service=service, environment=environment, resource=resource)
    answer = api.whole(LIST_LOCKS, request)
    api.show_list(answer, answer.locks, LOCKS, "no locks are held", err=False)


@command("show")
def show(id_: LockId, *, api: RecordApi) -> None:
    """Show a lock."""
    from tracker.client.rpcs import GET_LOCK
    from tracker.pb import lock_pb

    answer = api.call(GET_LOCK, GET_LOCK.request(id=whole_lock_id(api, id_)))
    api.show(answer, lambda: print_lock(answer.lock or lock_pb.Lock()))


@command("run", context_settings={"allow_interspersed_args": False})
def run(
    wanted: LockToTake,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The command to run.")],
    *,
    ttl: RunTtl = None,
    wait: Wait = None,
    grace: Grace = None,
    api: Server,
) -> None:
    """Run a command while holding a lock.

    Takes the lock, renews it while the command runs, releases it at the end, and exits as the command did.
    The command gets TRACKER_LOCK_ID and TRACKER_FENCING_TOKEN. Signals to this process are passed on to it.
    Processes that it leaves running are ended.

    If the lease can't be renewed, or this process is stopped or killed, the command is ended before the lease
    expires: by SIGTERM, then SIGKILL.
    """
    from tracker.cli.lock.running import LOCK_VARIABLES, GuardedCommand, end_as, inherited, require_program

    terms = lease_terms(ttl, grace)
    require_program(command[0])
    environ = inherited(*LOCK_VARIABLES)
    with GuardedCommand(environ) as guarded:  # starts while this process imports the rest
        from tracker.cli.lock.holding import hold

        with api.connected() as connection:
            end = hold(
                connection,
                wanted.request(api, terms.ttl, new_token()),
                guarded,
                lambda _, added, deadlines: guarded.run(command, added, deadlines),
                wait=wait,
                terms=terms,
            )
    raise typer.Exit(end_as(end, interrupts=guarded.has_terminal))
