"""The options of `tracker lock`: which lock, for how long, and with which token."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.helped import options_of
from tracker.cli.options import Who, label, labels_option, names_of
from tracker.cli.short_ids import whole_event_id
from tracker.cli.time_options import duration, duration_option
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from tracker.cli.calls import Api
    from tracker.guardian.protocol import Deadlines
    from tracker.pb import lock_pb

_SHORTEST_TTL = timedelta(seconds=2)
_LONGEST_GRACE = timedelta(seconds=30)

_LONGEST_MARGIN = 2.0
"""Longest time in seconds between killing a command and the end of its lease."""

Service = Annotated[
    str,
    typer.Option(
        metavar="NAME", autocompletion=completing.values_of("service"), help="Service that the lock is for."
    ),
]
Environment = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=names_of("event_pb.Environment"),
        help="Environment of the service, such as `production`.",
    ),
]
Resource = Annotated[
    str, typer.Option(metavar="NAME", help="What is locked of the service.  [default: deployment]")
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
Token = Annotated[
    str | None,
    typer.Option(
        envvar="TRACKER_LOCK_TOKEN",
        metavar="TOKEN",
        help="Token of the lock. Other users of the machine can see it here: prefer the variable or a file.",
    ),
]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="File that holds the token.")]
LockId = Annotated[
    str,
    typer.Argument(
        envvar="TRACKER_LOCK_ID",
        metavar="ID",
        autocompletion=completing.lock_ids,
        help="Id of the lock.",
    ),
]

_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """The lock that a command takes; each field is an option."""

    service: Service
    environment: Environment = ""
    resource: Resource = ""
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; shown to callers who find the lock held.")
    ] = ""
    who: Who
    label: Annotated[
        list[str] | None,
        labels_option("--label", "Label of the lock; may be repeated."),
    ] = None
    lock_delay: LockDelay = None
    event_id: Annotated[
        str,
        typer.Option(
            metavar="ID", autocompletion=completing.event_ids, help="Event that the lock belongs to."
        ),
    ] = ""

    def request(self, api: Api, ttl: timedelta | None, token: str) -> lock_pb.CreateLockRequest:
        """Return the request that takes the lock."""
        from tracker.pb import lock_pb

        return lock_pb.CreateLockRequest(
            service=self.service,
            environment=self.environment,
            resource=self.resource,
            who=self.who,
            reason=self.reason,
            labels=dict(map(label, self.label or ())),
            event_id=whole_event_id(api, self.event_id),
            ttl=duration(ttl),
            lock_delay=duration(self.lock_delay),
            lock_token=token,
        )


LockToTake = Annotated[LockOptions, options_of(LockOptions)]


@dataclass(frozen=True, slots=True)
class Terms:
    """The length of a lease, and how much of it a command has to end after SIGTERM."""

    ttl: timedelta
    grace: timedelta

    def deadlines(self, asked: int) -> Deadlines:
        """Return when a command must end if the lease that was asked for at a moment is not renewed.

        It is killed a fifth of the lease, at most 2 seconds, before the end of the lease, so that it has
        ended by then also on a busy machine; SIGTERM precedes that by the grace.
        """
        from tracker.guardian.protocol import SECOND, Deadlines

        ttl = self.ttl.total_seconds()
        kill = asked + int((ttl - min(ttl / 5, _LONGEST_MARGIN)) * SECOND)
        return Deadlines(term=kill - int(self.grace.total_seconds() * SECOND), kill=kill)


def lease_terms(ttl: timedelta | None, grace: timedelta | None) -> Terms:
    """Return the terms of the lease that a command runs under."""
    ttl = timedelta(seconds=30) if ttl is None else ttl
    grace = min(ttl / 4, _LONGEST_GRACE) if grace is None else grace
    if ttl < _SHORTEST_TTL:
        raise CommandError(f"--ttl must be {rounded_text(_SHORTEST_TTL)} or longer", USAGE)
    if grace > ttl / 3:
        raise CommandError(f"--grace must be no longer than a third of --ttl, {rounded_text(ttl / 3)}", USAGE)
    return Terms(ttl, grace)


def new_token() -> str:
    """Return a random token."""
    import secrets

    return secrets.token_urlsafe(_BYTES)


def given_token(token: str | None, file: Path | None) -> str:
    """Return the token that a command was given, `` for none."""
    if file is None:
        return token or ""
    try:
        text = file.read_text("utf-8").strip()
    except OSError as error:
        raise CommandError(f"the token can't be read: {file}: {error.strerror}", USAGE) from None
    except ValueError:
        raise CommandError(f"the token can't be read: {file} is not UTF-8", USAGE) from None
    if token and token != text:
        raise CommandError(f"{file} and TRACKER_LOCK_TOKEN (or --token) hold different tokens", USAGE)
    return text


def token_to_acquire(token: str | None, file: Path | None) -> tuple[str, bool]:
    """Return the token to take a lock with, and whether it is new and thus unknown to the user.

    A new one for a `file` is written there, readable only by its owner, before the lock is asked for.
    """
    if file is None:
        return (token, False) if token else (new_token(), True)
    if file.exists():
        return given_token(token, file), False
    text = token or new_token()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(text + "\n")
    except OSError as error:
        raise CommandError(f"the token can't be written: {file}: {error.strerror}", USAGE) from None
    return text, False
