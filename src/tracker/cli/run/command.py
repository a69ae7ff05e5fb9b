"""`tracker run`: runs a command, and records it as an event."""

from __future__ import annotations

import os
import signal
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.event.options import EventFields, event_options
from tracker.cli.exits import SIGNALLED, USAGE, CommandError
from tracker.cli.lock.options import Grace, LockDelay, LockOptions, RunTtl, Wait, lease_terms, new_token
from tracker.cli.options import Server, Who, number_option
from tracker.traces import VARIABLE, parent_of, trace_of

if TYPE_CHECKING:
    from typing import Never


def run(
    fields: Annotated[
        EventFields,
        event_options("service", without=("status", "start_date", "end_date"), type="deployment"),
    ],
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The command to run.")],
    *,
    title: Annotated[
        str, typer.Option(metavar="TITLE", help="What happens.  [default: type, service and version]")
    ] = "",
    lock: Annotated[
        bool, typer.Option("--lock", help="Hold the lock of the event with a lease, as `tracker lock run`.")
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Run nothing unless `tracker can-deploy` says yes; --wait waits.")
    ] = False,
    override: Annotated[
        str,
        typer.Option(
            metavar="REASON", help="Run it even if it is not allowed, for this reason, which is recorded."
        ),
    ] = "",
    wait: Wait = None,
    ttl: RunTtl = None,
    grace: Grace = None,
    lock_delay: LockDelay = None,
    tail: Annotated[
        int,
        number_option("Last lines of output to record, up to 1000; 0 is none.", least=0, most=1_000),
    ] = 20,
    offline_ok: Annotated[
        bool, typer.Option("--offline-ok", help="Run the command even if the server does not answer.")
    ] = False,
    who: Who,
    api: Server,
) -> None:
    """Run a command, and record its begin, its end, its duration and its last output as an event.

    Exits as the command does. The command gets TRACKER_EVENT_ID, with --lock also TRACKER_LOCK_ID and
    TRACKER_FENCING_TOKEN, and the signals to this process. Processes that it leaves running are ended.
    TRACEPARENT names the trace of the command and of the event; without one, a new one begins.

    A deployment or an operation with an environment takes its lock. If another holds it, the command is not
    run; with --lock --wait 10m, it waits. --lock also ends the command if the lock is lost.
    --gate asks first whether it may run, and again when its begin is recorded and it has the lock, so that of
    two at the same time one runs. Approvals are those of the event of --related-id.

    Example: tracker run --service shop --environment production --version 1.4.2 -- ./deploy.sh
    """
    from tracker.cli.lock.running import LOCK_VARIABLES, GuardedCommand, end_as, inherited, require_program
    from tracker.cli.run.relay import Relay

    if not lock and (ttl is not None or lock_delay is not None or (wait is not None and not gate)):
        raise CommandError("--wait, --ttl and --lock-delay need --lock", USAGE)
    if gate and offline_ok:
        raise CommandError(
            "--offline-ok can't be combined with --gate: only a server knows what is allowed", USAGE
        )
    if gate and not fields.attributes.get("environment"):
        raise CommandError("--gate needs --environment", USAGE)
    if lock and offline_ok:
        raise CommandError("--offline-ok can't be combined with --lock: only a server gives a lock", USAGE)
    terms = lease_terms(ttl, grace)
    require_program(command[0])
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _terminated)
    if not trace_of(os.environ.get(VARIABLE, "")):
        os.environ[VARIABLE] = parent_of(uuid.uuid4().hex, uuid.uuid4().hex)
    environ = inherited("TRACKER_EVENT_ID", *(LOCK_VARIABLES if lock else LOCK_VARIABLES[:1]))

    with Relay(tail) as relay, GuardedCommand(environ, stdout=relay.stdout, stderr=relay.stderr) as guarded:
        relay.begin()
        from tracker.cli.run.gate import require_allowed
        from tracker.cli.run.recording import RecordedCommand
        from tracker.client.rpcs import CREATE_EVENT

        type_, service, environment, version = (
            str(fields.attributes.get(name, "")) for name in ("type", "service", "environment", "version")
        )
        title = title or " ".join(filter(None, (type_.capitalize(), "of", service, version)))
        event = CREATE_EVENT.of(fields.request(None if offline_ok else api, title=title, who=who))
        with api.connected(send_kept=not offline_ok) as connection:
            event.override_reason = override
            if gate:
                require_allowed(connection, event, wait or timedelta())
            gated = gate and not override
            recorded = RecordedCommand(connection, event, guarded, relay, command, offline_ok, gated)
            if lock:
                wanted = LockOptions(
                    service=service,
                    environment=environment,
                    resource=type_,
                    who=str(fields.attributes.get("owner", who)),
                    reason=title,
                    lock_delay=lock_delay,
                ).request(api, terms.ttl, new_token())
                end = recorded.run_under_lock(wanted, wait=wait, terms=terms)
            else:
                end = recorded.run(terms.grace)
    raise typer.Exit(end_as(end, interrupts=guarded.has_terminal))


def _terminated(number: int, _: object) -> Never:
    """End this process as Ctrl-C does, so that the end of the command is still recorded."""
    raise SystemExit(SIGNALLED + number)
