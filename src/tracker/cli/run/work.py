"""Runs a command and records it, with a lock or without one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tracker.cli.errors import CommandError
from tracker.cli.exits import FAILED, INTERRUPTED, LOCKED
from tracker.cli.lock.command import exit_code, say
from tracker.cli.lock.holding import hold
from tracker.cli.run.recording import HeldLock
from tracker.guardian.protocol import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from tracker.cli.lock.lease import Terms
    from tracker.cli.lock.running import GuardedCommand
    from tracker.cli.run.recording import Recording
    from tracker.cli.run.relay import Relay
    from tracker.client import Connection
    from tracker.guardian.protocol import Gone
    from tracker.pb import lock_pb

_NEVER = 2**62
"""Nanoseconds of a clock that no machine reaches."""

_SECOND = 1_000_000_000


class RecordedCommand:
    """A command that is recorded as an event."""

    def __init__(
        self, recording: Recording, guarded: GuardedCommand, relay: Relay, command: Sequence[str]
    ) -> None:
        self._recording = recording
        self._guarded = guarded
        self._relay = relay
        self._command = list(command)

    def run(self, grace: timedelta, *, offline_ok: bool) -> Gone:
        """Run it; processes that it leaves running get `grace` between SIGTERM and SIGKILL.

        Raises:
            ApiError: The event was refused, and the command not run.
            UnreachableError: The server gave no answer, and it is not `offline_ok`.
            CommandError: The command can't be started.
        """
        self._guarded.await_guardian()
        deadlines = Deadlines(term=_NEVER, kill=_NEVER + int(grace.total_seconds() * _SECOND))
        end = self._record(lambda: self._recording.begin(offline_ok=offline_ok), {}, deadlines)
        if end.leftovers:
            say("the command left processes behind; they were ended")
        return end

    def run_under_lock(
        self,
        connection: Connection,
        request: lock_pb.CreateLockRequest,
        *,
        wait: timedelta | None,
        terms: Terms,
    ) -> Gone:
        """Run it while holding a lock, as `hold` does; the end of the event releases the lock too.

        Raises:
            ApiError: The lock or the event was refused, and the command not run.
            UnreachableError: The server gave no answer.
            CommandError: The lock was lost, or the command can't be started.
        """

        def work(lock: lock_pb.Lock, environ: dict[str, str], deadlines: Deadlines) -> Gone:
            held = HeldLock(lock.id, request.lock_token)
            return self._record(lambda: self._recording.begin_under(held), environ, deadlines)

        return hold(connection, request, self._guarded, work, wait=wait, terms=terms)

    def _record(self, begin: Callable[[], None], environ: dict[str, str], deadlines: Deadlines) -> Gone:
        recording = self._recording
        try:
            begin()
            event = {"TRACKER_EVENT_ID": recording.event_id} if recording.event_id else {}
            end = self._guarded.run(self._command, environ | event, deadlines)
        except BaseException as error:
            if recording.event_id:
                recording.end(*_not_run(error))
            raise
        recording.end(*_outcome(end), self._relay.text())
        return end


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
