"""`tracker lock run`: runs a command under a lock."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.durations import written
from tracker.cli.errors import CommandError
from tracker.cli.exits import NOT_EXECUTABLE, NOT_FOUND, USAGE, failures
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import (
    Environment,
    EventId,
    Labels,
    LockDelay,
    Reason,
    Resource,
    Service,
    Wait,
    Who,
    duration_option,
)
from tracker.cli.lock.tokens import new_token
from tracker.cli.options import DEFAULT_SERVER, Server

_SHORTEST_TTL = timedelta(seconds=2)
_LONGEST_GRACE = timedelta(seconds=30)

_OURS = ("TRACKER_LOCK_TOKEN", "TRACKER_LOCK_ID", "TRACKER_FENCING_TOKEN")
"""Variables that the command does not inherit: a secret, and what it is told of its own lock."""


@app.command("run", epilog=EPILOG, context_settings={"allow_interspersed_args": False})
def run(  # noqa: PLR0913  # one for each option
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run.")],
    *,
    service: Service,
    environment: Environment = "",
    resource: Resource = "",
    ttl: Annotated[
        timedelta | None, duration_option("How long the lease lasts unless renewed.  [default: 30s]")
    ] = None,
    wait: Wait = None,
    grace: Annotated[
        timedelta | None,
        duration_option("Time between SIGTERM and SIGKILL.  [default: a quarter of --ttl, at most 30s]"),
    ] = None,
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
    ttl = timedelta(seconds=30) if ttl is None else ttl
    grace = min(ttl / 4, _LONGEST_GRACE) if grace is None else grace
    if ttl < _SHORTEST_TTL:
        raise CommandError(f"--ttl must be {written(_SHORTEST_TTL)} or longer", USAGE)
    if grace > ttl / 3:
        raise CommandError(f"--grace must be no longer than a third of --ttl, {written(ttl / 3)}", USAGE)
    _require_program(command[0])
    environ = {name: value for name, value in os.environ.items() if name not in _OURS}

    from tracker.cli.lock.running import GuardedCommand

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
            code = hold(connection, request, guarded, command, wait=wait, terms=Terms(ttl, grace))
    raise typer.Exit(code)


def _require_program(name: str) -> None:
    """Find out that there is no such command before the lock is taken, or waited for."""
    if shutil.which(name) is None:
        if "/" in name and Path(name).exists():
            raise CommandError(f"{name} can't be run", NOT_EXECUTABLE)
        raise CommandError(f"there is no command {name}", NOT_FOUND)
