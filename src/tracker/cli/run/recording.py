"""Runs a command and records its begin and its end as an event, with a lock or without one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from protobuf.wkt import Timestamp

from tracker.cli import calls
from tracker.cli.exits import FAILED, INTERRUPTED, LOCKED, UNREACHABLE, CommandError
from tracker.cli.lock.holding import hold
from tracker.cli.lock.options import Terms
from tracker.cli.lock.running import GuardedCommand, exit_code
from tracker.cli.printing import say
from tracker.cli.run.relay import Relay
from tracker.client.connection import ApiError, Connection
from tracker.client.rpcs import CREATE_EVENT, UPDATE_EVENT, UPDATE_LOCK
from tracker.guardian.protocol import SECOND, Deadlines, Gone
from tracker.pb import event_pb, lock_pb
from tracker.time_text import rounded_text

_PATIENCE = 60.0
"""Seconds for which recording the end is retried without an answer."""

_LONGEST_MESSAGE = 65_536
"""Bytes that the message of an event may have."""

_NEVER = 2**62
"""Nanoseconds of a clock that no machine reaches."""


@dataclass
class RecordedCommand:
    """A command that is recorded as an event."""

    connection: Connection
    request: event_pb.CreateEventRequest
    guarded: GuardedCommand
    relay: Relay
    command: list[str]

    def __post_init__(self) -> None:
        self._attributes = self.request.attributes or event_pb.EventAttributes()
        self._event_id = ""
        """Empty until the begin of the command is recorded."""
        self._began = 0.0

    def run(self, grace: timedelta, *, offline_ok: bool) -> Gone:
        """Run it; processes that it leaves running get `grace` between SIGTERM and SIGKILL.

        The event takes its lock automatically; if it is refused, the command is not run. Without an answer of
        the server, it is run only if that is `offline_ok`.
        """
        self.guarded.await_guardian()
        deadlines = Deadlines(term=_NEVER, kill=_NEVER + int(grace.total_seconds() * SECOND))
        end = self._record(partial(self._begin, offline_ok=offline_ok), {}, deadlines)
        if end.leftovers:
            say("the command left processes behind; they were ended")
        return end

    def run_under_lock(
        self, request: lock_pb.CreateLockRequest, *, wait: timedelta | None, terms: Terms
    ) -> Gone:
        """Run it while holding a lock, as `hold` does; the end of the event releases the lock too."""

        def work(lock: lock_pb.Lock, environ: dict[str, str], deadlines: Deadlines) -> Gone:
            begin = partial(self._begin_under, lock.id, request.lock_token)
            return self._record(begin, environ, deadlines)

        return hold(self.connection, request, self.guarded, work, wait=wait, terms=terms)

    def _record(self, begin: Callable[[], None], environ: dict[str, str], deadlines: Deadlines) -> Gone:
        self._began = time.monotonic()
        self._attributes.start_date = Timestamp.from_datetime(datetime.now(UTC))
        try:
            begin()
            event = {"TRACKER_EVENT_ID": self._event_id} if self._event_id else {}
            end = self.guarded.run(self.command, environ | event, deadlines)
        except BaseException as error:
            if self._event_id:
                self._end(*_not_run(error))
            raise
        self._end(*_outcome(end), self.relay.text())
        return end

    def _begin(self, *, offline_ok: bool) -> None:
        """Record the begin of the command."""
        try:
            self._create(event_pb.Status.start, self._attributes)
        except ApiError as error:
            if not offline_ok or calls.exit_code(error) != UNREACHABLE:
                raise
            say(f"{error}; the command runs all the same, and is recorded at its end")

    def _begin_under(self, lock_id: str, token: str) -> None:
        """Record the begin of the command under a lock that becomes that of the event.

        An event that begins takes its lock automatically: this one begins after it has got the lock.
        """
        self._create(event_pb.Status.planned, self._attributes)
        request = UPDATE_LOCK.request(id=lock_id, event_id=self._event_id, lock_token=token)
        self.connection.call(UPDATE_LOCK, request)
        self._update(event_pb.EventAttributes(status=event_pb.Status.start))

    def _end(self, code: int, how: str, output: str = "") -> None:
        """Record the end of the command, and print a message if that fails for a minute."""
        took = timedelta(seconds=time.monotonic() - self._began)
        ending = f"{how} after {rounded_text(took)}" + (f"; its last lines:\n{output}" if output else "")
        attributes = copy(self._attributes) if not self._event_id else event_pb.EventAttributes()
        start = self._attributes.start_date
        if start is not None:
            attributes.end_date = Timestamp.from_datetime(start.to_datetime() + took)
        attributes.status = event_pb.Status.failure if code else event_pb.Status.success
        attributes.message = _message(self._attributes.message, ending)
        attributes.labels = {**attributes.labels, "exit_code": str(code)}
        try:
            if self._event_id:
                self._update(attributes, patience=_PATIENCE)
            else:
                self._create(attributes.status, attributes, patience=_PATIENCE)
        except (ApiError, KeyboardInterrupt, SystemExit) as error:
            why = str(error) if isinstance(error, Exception) else "interrupted"
            say(f"the end of the command was not recorded: {why}")
            if self._event_id:
                say(f"tracker event finish {self._event_id} --status {attributes.status.name} does so")

    def _create(
        self, status: event_pb.Status, attributes: event_pb.EventAttributes, *, patience: float | None = None
    ) -> None:
        attributes.status = status
        self.request.attributes = attributes
        event = self.connection.call(CREATE_EVENT, self.request, patience=patience).event
        if event is None or event.metadata is None:
            raise CommandError("the server answered without an event")
        self._event_id = event.metadata.id

    def _update(self, attributes: event_pb.EventAttributes, *, patience: float | None = None) -> None:
        request = UPDATE_EVENT.request(
            id=self._event_id, attributes=attributes, merge=True, who=self.request.who
        )
        self.connection.call(UPDATE_EVENT, request, patience=patience)


def _message(given: str, ending: str) -> str:
    """Return the message of an event that has ended: the given one, and how the command ended."""
    message = f"{given}\n\n{ending}" if given else ending
    return message if len(message.encode()) <= _LONGEST_MESSAGE else given


def _not_run(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the description of a command that was not run, or not to its end."""
    match error:
        case CommandError():
            return error.exit_code, str(error)
        case Exception():
            return FAILED, f"not started: {error}"
        case _:
            return INTERRUPTED, "interrupted before it was started"


def _outcome(end: Gone) -> tuple[int, str]:
    """Return the exit code of a command, and how it ended."""
    if end.ended:
        return LOCKED, "ended, since its lock was lost,"
    if end.status is not None and os.WIFSIGNALED(end.status):
        return exit_code(end), f"ended by signal {os.WTERMSIG(end.status)}"
    return exit_code(end), f"exited with {exit_code(end)}"
