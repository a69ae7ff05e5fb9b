"""The options that several commands of `tracker lock` share."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from tracker.cli.choices import names_of
from tracker.cli.errors import CommandError
from tracker.cli.exits import USAGE
from tracker.cli.options import label, label_option, who_default
from tracker.cli.parameters import option, with_parameters
from tracker.cli.times import duration_option
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.pb import lock_pb

P = ParamSpec("P")

_SHORTEST_TTL = timedelta(seconds=2)
_LONGEST_GRACE = timedelta(seconds=30)

Service = Annotated[str, typer.Option(metavar="NAME", help="Service that the lock is for.")]
Environment = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=names_of("event_pb.Environment"),
        help="Environment of the service, such as `production`.",
    ),
]
Resource = Annotated[
    str, typer.Option(metavar="NAME", help="What is locked of the service; by default `deployment`.")
]
Wait = Annotated[timedelta | None, duration_option("How long to wait for a held lock.")]
RunTtl = Annotated[timedelta | None, duration_option("Length of the lease unless renewed.  [default: 30s]")]
Grace = Annotated[
    timedelta | None,
    duration_option("Time between SIGTERM and SIGKILL.  [default: a quarter of --ttl, at most 30s]"),
]
LockDelay = Annotated[
    timedelta | None,
    duration_option("How long the lock stays closed to others after its lease expires, up to 1m."),
]
Who = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Who holds it.  [default: you, at this machine]")
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="TRACKER_LOCK_TOKEN",
        metavar="TOKEN",
        help="Token of the lock. Other users of the machine can see it here: prefer the variable or a file.",
    ),
]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="File that holds the token.")]
LockId = Annotated[str, typer.Argument(envvar="TRACKER_LOCK_ID", metavar="ID", help="Id of the lock.")]

_REASON = typer.Option(metavar="TEXT", help="Why; shown to callers who find the lock held.")
_LABEL = typer.Option(parser=label_option, metavar="NAME=VALUE", help="Label of the lock; may be repeated.")
_EVENT = typer.Option(metavar="ID", help="Event that the lock belongs to.")
_OPTIONS = [
    option("service", Service, inspect.Parameter.empty),
    option("environment", Environment, ""),
    option("resource", Resource, ""),
    option("reason", Annotated[str, _REASON], ""),
    option("who", Who),
    option("label", Annotated[list[str] | None, _LABEL]),
    option("lock_delay", LockDelay),
    option("event_id", Annotated[str, _EVENT], ""),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """The lock that a command takes."""

    service: str
    environment: str
    resource: str
    reason: str
    who: str | None
    label: Sequence[str] | None = None
    lock_delay: timedelta | None
    event_id: str = ""

    def request(self, ttl: timedelta | None, token: str) -> lock_pb.CreateLockRequest:
        """Return the request that takes the lock."""
        from protobuf.wkt import Duration

        from tracker.pb import lock_pb

        return lock_pb.CreateLockRequest(
            service=self.service,
            environment=self.environment,
            resource=self.resource,
            who=who_default() if self.who is None else self.who,
            reason=self.reason,
            labels=dict(map(label, self.label or ())),
            event_id=self.event_id,
            ttl=None if ttl is None else Duration.from_timedelta(ttl),
            lock_delay=None if self.lock_delay is None else Duration.from_timedelta(self.lock_delay),
            lock_token=token,
        )


def takes_lock() -> Callable[[Callable[Concatenate[LockOptions, P], None]], Callable[..., None]]:
    """Make a command of a function whose first parameter is the lock to take, each field an option."""

    def wanted(given: Mapping[str, Any]) -> LockOptions:
        return LockOptions(**given)

    return lambda command: with_parameters(_OPTIONS, wanted, command)


def lease_times(ttl: timedelta | None, grace: timedelta | None) -> tuple[timedelta, timedelta]:
    """Return the length of the lease that a command runs under, and the time that the command has to end.

    Raises:
        CommandError: A time is out of bounds.
    """
    ttl = timedelta(seconds=30) if ttl is None else ttl
    grace = min(ttl / 4, _LONGEST_GRACE) if grace is None else grace
    if ttl < _SHORTEST_TTL:
        raise CommandError(f"--ttl must be {rounded_text(_SHORTEST_TTL)} or longer", USAGE)
    if grace > ttl / 3:
        raise CommandError(f"--grace must be no longer than a third of --ttl, {rounded_text(ttl / 3)}", USAGE)
    return ttl, grace
