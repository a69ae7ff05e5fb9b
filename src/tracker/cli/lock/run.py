"""`tracker lock run`: runs a command under a lock."""

from __future__ import annotations

from typing import Annotated

import typer

from tracker.cli.exits import failures
from tracker.cli.lock.command import LOCK_VARIABLES, end_as, inherited, require_program
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import Grace, LockOptions, RunTtl, Wait, lease_times, takes_lock
from tracker.cli.lock.tokens import new_token
from tracker.cli.options import DEFAULT_SERVER, Server


@app.command("run", epilog=EPILOG, context_settings={"allow_interspersed_args": False})
@takes_lock()
def run(  # noqa: PLR0913  # one for each option
    wanted: LockOptions,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The command to run.")],
    *,
    ttl: RunTtl = None,
    wait: Wait = None,
    grace: Grace = None,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Run a command while holding a lock.

    Takes the lock, renews it while the command runs, releases it at the end, and exits as the command did.
    The command gets TRACKER_LOCK_ID and TRACKER_FENCING_TOKEN. Signals to this process are passed on to it.
    Processes that it leaves running are ended.

    If the lease can't be renewed, or this process is stopped or killed, the command is ended before the lease
    expires: by SIGTERM, then SIGKILL.
    """
    ttl, grace = lease_times(ttl, grace)
    require_program(command[0])

    from tracker.cli.lock.running import GuardedCommand

    environ = inherited(*LOCK_VARIABLES)
    with GuardedCommand(environ) as guarded:  # starts while this process imports the rest
        from tracker.cli.lock.holding import hold
        from tracker.cli.lock.lease import Terms
        from tracker.client import Connection

        with failures(), Connection(server) as connection:
            end = hold(
                connection,
                wanted.request(ttl, new_token()),
                guarded,
                lambda _, added, deadlines: guarded.run(command, added, deadlines),
                wait=wait,
                terms=Terms(ttl, grace),
            )
    raise typer.Exit(end_as(end, interrupts=guarded.has_terminal))
