"""Runs a command and records its begin and its end as an event, with a lock or without one."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from protobuf.wkt import Timestamp

from tracker.cli.bounded import within
from tracker.cli.exits import FAILED, INTERRUPTED, LOCKED, CommandError
from tracker.cli.lock.holding import hold
from tracker.cli.lock.options import Terms
from tracker.cli.lock.running import GuardedCommand, exit_code
from tracker.cli.printing import say
from tracker.cli.run.gate import NotAllowedError, require_allowed
from tracker.cli.run.relay import Relay
from tracker.cli.unsent import KeptRequest, is_transient, send_kept
from tracker.client.connection import NO_ANSWER, ApiError, Connection
from tracker.client.rpc import A, Q, Rpc
from tracker.client.rpcs import CREATE_EVENT, UPDATE_EVENT, UPDATE_LOCK
from tracker.errors import Code
from tracker.guardian.protocol import SECOND, Deadlines, Gone
from tracker.pb import event_pb, lock_pb
from tracker.time_text import rounded_text

T = TypeVar("T")

_PATIENCE = 60.0
"""Seconds for which recording the end is retried without an answer."""

_OFFLINE_PATIENCE = 1.0
"""Seconds that a command which runs without a server waits for one, before and after."""

_SOURCE = "tracker-run"
"""The source of an event that has an external id so that it can be recorded again without a second event."""

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
    offline_ok: bool = False
    gated: bool = False
    """Whether the server is asked, once the event has its lock, if the command may run."""

    def __post_init__(self) -> None:
        self._attributes = self.request.attributes or event_pb.EventAttributes()
        if self.offline_ok and not self._attributes.external_id:
            self._attributes.source = self._attributes.source or _SOURCE
            self._attributes.external_id = str(uuid.uuid4())
        self._event_id = ""
        """Empty until the begin of the command is recorded."""
        self._began = 0.0
        self._kept = KeptRequest()
        self._sending = threading.Lock()
        """Held while the server is called: the begin must not be recorded after the end."""
        self._is_late = False

    def run(self, grace: timedelta) -> Gone:
        """Run it; processes that it leaves running get `grace` between SIGTERM and SIGKILL.

        The event takes its lock automatically; if it is refused, the command is not run. Without an answer of
        the server, it is run only if `offline_ok`.
        """
        self.guarded.await_guardian()
        deadlines = Deadlines(term=_NEVER, kill=_NEVER + int(grace.total_seconds() * SECOND))
        end = self._record(self._begin, {}, deadlines)
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
            if self._event_id or self._kept.is_held:
                refused = isinstance(error, NotAllowedError)
                self._end(*_not_run(error), status=event_pb.Status.close if refused else None)
            raise
        self._end(*_outcome(end), self.relay.text())
        return end

    def _begin(self) -> None:
        """Record the begin of the command."""
        if not self.offline_ok:
            self._create(event_pb.Status.start, self._attributes)
            self._require_allowed()
            return
        attributes = copy(self._attributes)
        try:
            self._bounded(self._begin_at_once)
        except ApiError as error:
            if not is_transient(error):
                raise
            self._is_late = True
            say(f"{error}; the command runs all the same, and is recorded at its end or later")
            attributes.status = event_pb.Status.error
            attributes.message = _message(attributes.message, "its end is unknown: tracker run was killed")
            request = copy(self.request)
            request.attributes = attributes
            self._keep(CREATE_EVENT, request, hold=True)

    def _begin_at_once(self) -> None:
        send_kept(self.connection)
        if not self._is_late:
            self._create(event_pb.Status.start, copy(self._attributes), patience=0)

    def _begin_under(self, lock_id: str, token: str) -> None:
        """Record the begin of the command under a lock that becomes that of the event.

        An event that begins takes its lock automatically: this one begins after it has got the lock.
        """
        self._create(event_pb.Status.planned, self._attributes)
        request = UPDATE_LOCK.request(id=lock_id, event_id=self._event_id, lock_token=token)
        self.connection.call(UPDATE_LOCK, request)
        self._require_allowed()
        self.connection.call(
            UPDATE_EVENT, self._change(event_pb.EventAttributes(status=event_pb.Status.start))
        )

    def _require_allowed(self) -> None:
        """Ask again with the lock: since the first answer, another command may have run or begun."""
        if self.gated:
            require_allowed(self.connection, self.request, timedelta(), self._event_id)

    def _end(self, code: int, how: str, output: str = "", *, status: event_pb.Status | None = None) -> None:
        """Record the end of the command; without an answer of the server, keep the record.

        Without a `status`, it is that of the exit code.
        """
        took = timedelta(seconds=time.monotonic() - self._began)
        ending = f"{how} after {rounded_text(took)}" + (f"; its last lines:\n{output}" if output else "")
        attributes = copy(self._attributes) if self.offline_ok else event_pb.EventAttributes()
        start = self._attributes.start_date
        if start is not None:
            attributes.end_date = Timestamp.from_datetime(start.to_datetime() + took)
        attributes.status = status or (event_pb.Status.failure if code else event_pb.Status.success)
        attributes.message = _message(self._attributes.message, ending)
        attributes.labels = {**attributes.labels, "exit_code": str(code)}
        if self.offline_ok:
            request = copy(self.request)
            request.attributes = attributes
            self._send(CREATE_EVENT, request, self._bounded, patience=0)
        else:
            self._send(UPDATE_EVENT, self._change(attributes), lambda call: call(), patience=_PATIENCE)

    def _bounded(self, call: Callable[[], T]) -> T:
        """Return what a call returns; it begins when the one before has ended, and has a second for both."""

        def work() -> T:
            with self._sending:
                return call()

        try:
            return within(_OFFLINE_PATIENCE, work)
        except TimeoutError:
            why = f"no answer from {self.connection.server} within {_OFFLINE_PATIENCE:g} second"
            raise ApiError(Code.UNAVAILABLE, why, NO_ANSWER) from None

    def _send(
        self, rpc: Rpc[Q, A], request: Q, bounded: Callable[[Callable[[], A]], A], *, patience: float
    ) -> None:
        """Send the last request; without an answer, keep it."""
        try:
            bounded(lambda: self.connection.call(rpc, request, patience=patience))
        except (ApiError, KeyboardInterrupt, SystemExit) as error:
            why = str(error) if isinstance(error, Exception) else "interrupted"
            say(f"the end of the command was not recorded: {why}")
            if not isinstance(error, ApiError) or is_transient(error):
                self._keep(rpc, request)
                return
        self._kept.discard()

    def _keep(self, rpc: Rpc[Q, A], request: Q, *, hold: bool = False) -> None:
        """Keep a request to be sent by a later command; this process may `hold` it meanwhile."""
        server = self.connection.server
        try:
            file = self._kept.keep(server, rpc, request, hold=hold)
        except OSError as error:
            why = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            say(f"the record can't be kept: {why}")
            return
        if not hold:
            say(f"the record is kept in {file}; the next command that reaches {server} sends it")

    def _create(
        self, status: event_pb.Status, attributes: event_pb.EventAttributes, *, patience: float | None = None
    ) -> None:
        attributes.status = status
        request = copy(self.request)
        request.attributes = attributes
        event = self.connection.call(CREATE_EVENT, request, patience=patience).event
        if event is None or event.metadata is None:
            raise CommandError("the server answered without an event")
        self._event_id = event.metadata.id

    def _change(self, attributes: event_pb.EventAttributes) -> event_pb.UpdateEventRequest:
        """Return the request that changes attributes of the event."""
        return UPDATE_EVENT.request(
            id=self._event_id, attributes=attributes, merge=True, who=self.request.who
        )


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
