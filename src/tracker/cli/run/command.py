"""`tracker run`: runs a command, and records it as an event."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.event.options import (
    Environment,
    ExternalId,
    Impact,
    Labels,
    Message,
    Priority,
    PullRequest,
    RelatedId,
    Service,
    SlackId,
    Source,
    StakeHolders,
    Ticket,
    Type,
    Version,
)
from tracker.cli.exits import SIGNALLED, USAGE, failures
from tracker.cli.lock.command import LOCK_VARIABLES, end_as, inherited, require_program
from tracker.cli.lock.options import Grace, LockDelay, RunTtl, Wait, lease_times
from tracker.cli.lock.tokens import new_token
from tracker.cli.options import DEFAULT_SERVER, Server, who_default

if TYPE_CHECKING:
    from typing import Never


def run(  # noqa: PLR0913  # one for each option
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run.")],
    *,
    service: Service,
    environment: Environment = "",
    type_: Type = "deployment",
    title: Annotated[
        str, typer.Option(metavar="TITLE", help="What happens.  [default: type, service and version]")
    ] = "",
    message: Message = "",
    version: Version = "",
    owner: Annotated[
        str, typer.Option(metavar="NAME", help="Who answers for it.  [default: you, at this machine]")
    ] = "",
    priority: Priority = "",
    source: Source = "",
    external_id: ExternalId = "",
    labels: Labels = None,
    impact: Impact = False,
    related_id: RelatedId = "",
    stake_holders: StakeHolders = None,
    pull_request: PullRequest = "",
    ticket: Ticket = "",
    slack_id: SlackId = "",
    lock: Annotated[
        bool, typer.Option("--lock", help="Hold the lock of the event with a lease, as `tracker lock run`.")
    ] = False,
    wait: Wait = None,
    ttl: RunTtl = None,
    grace: Grace = None,
    lock_delay: LockDelay = None,
    tail: Annotated[
        int,
        typer.Option(min=0, max=1_000, metavar="NUMBER", help="Last lines of output to record; 0 is none."),
    ] = 20,
    offline_ok: Annotated[
        bool, typer.Option("--offline-ok", help="Run the command even where the server gives no answer.")
    ] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Run a command, and record it: that it begins, how it ends, how long it takes, what it says last.

    Exits as the command does. The command gets TRACKER_EVENT_ID, with --lock also TRACKER_LOCK_ID and
    TRACKER_FENCING_TOKEN, and the signals that this process gets. What it leaves running is ended with it.

    A deployment or an operation with an environment takes its lock. Where another holds it, the command is
    not run; with --lock --wait 10m, it waits. --lock also ends the command should the lock be lost.

    Example: tracker run --service shop --environment production --version 1.4.2 -- ./deploy.sh
    """
    if not lock and (wait is not None or ttl is not None or lock_delay is not None):
        raise CommandError("--wait, --ttl and --lock-delay are about a lease: they need --lock", USAGE)
    if lock and offline_ok:
        raise CommandError("--offline-ok can't be kept with --lock: only a server gives a lock", USAGE)
    ttl, grace = lease_times(ttl, grace)
    require_program(command[0])
    _end_orderly()
    environ = inherited("TRACKER_EVENT_ID", *(LOCK_VARIABLES if lock else LOCK_VARIABLES[:1]))

    from tracker.cli.lock.running import GuardedCommand
    from tracker.cli.run.relay import Relay

    with (
        Relay(tail) as relay,
        GuardedCommand(environ, stdout=relay.stdout, stderr=relay.stderr) as guarded,
    ):
        relay.begin()
        from tracker.cli.event.requests import attributes_of, links_of
        from tracker.cli.lock.lease import Terms
        from tracker.cli.lock.taking import request_of
        from tracker.cli.run.recording import Recording
        from tracker.cli.run.work import RecordedCommand
        from tracker.client import Connection
        from tracker.client.events import CREATE_EVENT

        title = title or " ".join(filter(None, (type_.capitalize(), "of", service, version)))
        attributes = attributes_of(
            texts={
                "type": type_,
                "environment": environment,
                "priority": priority,
                "service": service,
                "message": message,
                "source": source,
                "external_id": external_id,
                "owner": owner or who_default(),
                "version": version,
                "related_id": related_id,
            },
            labels=labels,
            stake_holders=stake_holders,
            impact=impact,
        )
        event = CREATE_EVENT.request(
            title=title, attributes=attributes, links=links_of(pull_request, ticket), slack_id=slack_id
        )
        with failures(), Connection(server) as connection:
            recorded = RecordedCommand(Recording(connection, event), guarded, relay, command)
            if lock:
                wanted = request_of(
                    service=service,
                    environment=environment,
                    resource=type_,
                    who=owner or None,
                    reason=title,
                    labels=None,
                    event_id="",
                    ttl=ttl,
                    lock_delay=lock_delay,
                    token=new_token(),
                )
                end = recorded.run_under_lock(connection, wanted, wait=wait, terms=Terms(ttl, grace))
            else:
                end = recorded.run(grace, offline_ok=offline_ok)
    raise typer.Exit(end_as(end, interrupts=guarded.has_terminal))


def _end_orderly() -> None:
    """Have SIGTERM end this process as Ctrl-C does: what has begun is still recorded as ended."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _: object) -> Never:
    raise SystemExit(SIGNALLED + number)
