"""`tracker lock run`: runs a command under a lock."""

from __future__ import annotations

from typing import Annotated

import typer

from tracker.cli.exits import failures
from tracker.cli.lock.command import LOCK_VARIABLES, end_as, inherited, require_program
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import (
    Environment,
    EventId,
    Grace,
    Labels,
    LockDelay,
    Reason,
    Resource,
    RunTtl,
    Service,
    Wait,
    Who,
    lease_times,
)
from tracker.cli.lock.tokens import new_token
from tracker.cli.options import DEFAULT_SERVER, Server


@app.command("run", epilog=EPILOG, context_settings={"allow_interspersed_args": False})
def run(  # noqa: PLR0913  # one for each option
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run.")],
    *,
    service: Service,
    environment: Environment = "",
    resource: Resource = "",
    ttl: RunTtl = None,
    wait: Wait = None,
    grace: Grace = None,
    reason: Reason = "",
    who: Who = None,
    label: Labels = None,
    lock_delay: LockDelay = None,
    event_id: EventId = "",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Run a command while holding a lock.

    Takes the lock, renews it while the command runs, releases it at the end, and exits as the command did.
    The command gets TRACKER_LOCK_ID and TRACKER_FENCING_TOKEN. Signals that this process gets are passed on
    to it. What it leaves running is ended with it.

    Where the lease can't be renewed, or this process is stopped or killed, the command is ended before the
    lease is: by SIGTERM, then SIGKILL.
    """
    ttl, grace = lease_times(ttl, grace)
    require_program(command[0])

    from tracker.cli.lock.running import GuardedCommand

    environ = inherited(*LOCK_VARIABLES)
    with GuardedCommand(environ) as guarded:  # gets ready while this process imports the rest
        from tracker.cli.lock.holding import hold
        from tracker.cli.lock.lease import Terms
        from tracker.cli.lock.taking import request_of
        from tracker.client import Connection

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
            token=new_token(),
        )
        with failures(), Connection(server) as connection:
            end = hold(
                connection,
                request,
                guarded,
                lambda _, added, deadlines: guarded.run(command, added, deadlines),
                wait=wait,
                terms=Terms(ttl, grace),
            )
    raise typer.Exit(end_as(end, interrupts=guarded.has_terminal))
