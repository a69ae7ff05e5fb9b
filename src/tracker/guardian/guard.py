"""Runs a command for as long as its lease lasts, and no longer."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from typing import TYPE_CHECKING

from . import protocol
from .processes import KILL_AGAIN, Command, adopt_orphans, take_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator


_TICK = 0.1
"""Seconds between two looks at the clock, at most: timers stand still while the machine is suspended."""

_LINGER = 2 * protocol.SECOND
"""Time for processes that the command leaves behind, such as a `tee` that writes the last lines."""

_MANY = 4096
"""Bytes read at once; more than there are wake-ups waiting."""

_NOT_FOR_US = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
)
"""Signals that may be meant for others too; the command gets them anyway, or from the renewer."""


class Guard:
    """Runs one command, and ends it when the renewer asks for it or is gone, or when the lease is over."""

    def __init__(self, channel: protocol.Channel) -> None:
        self._channel = channel
        self._command = Command()
        self._deadlines: protocol.Deadlines | None = None
        self._kill_at: int | None = None
        """When SIGKILL follows SIGTERM; None before SIGTERM was sent."""
        self._left_since: int | None = None
        """When the command had ended and descendants of it had not."""
        self._ended = False
        """Whether SIGTERM was sent to the command itself, not only to what it left behind."""
        self._over = False

    def run(self) -> None:
        """Guard one command until it has ended."""
        with selectors.DefaultSelector() as selector, _woken_by_children() as woken:
            adopt_orphans()
            for file in (self._channel.socket, woken):
                selector.register(file, selectors.EVENT_READ)
            self._channel.send(protocol.Ready())
            while not self._over:
                killing = self._kill_at is not None and protocol.lease_clock() >= self._kill_at
                ready = {key.fileobj for key, _ in selector.select(KILL_AGAIN if killing else _TICK)}
                if woken in ready:
                    woken.recv(_MANY)
                if self._channel.socket in ready:
                    self._listen(selector)
                if self._command.group:
                    self._watch()

    def _listen(self, selector: selectors.BaseSelector) -> None:
        messages = self._channel.receive()
        if messages is None:
            # The renewer is gone, and with it whoever renews the lease.
            selector.unregister(self._channel.socket)
            self._over = not self._command.group
            self._end()
            return
        for message in messages:
            self._handle(message)

    def _handle(self, message: protocol.Message) -> None:
        match message:
            case protocol.Start():
                self._start(message)
            case protocol.Renewed(deadlines):
                self._deadlines = deadlines
            case protocol.Signal(number):
                self._command.signal(number)
            case protocol.Foreground():
                take_terminal(self._command.group)
                self._command.signal(signal.SIGCONT)
            case protocol.End():
                self._end()
            case _:
                raise ValueError(f"not for a guardian: {message}")

    def _start(self, order: protocol.Start) -> None:
        self._deadlines = order.deadlines
        if protocol.lease_clock() >= order.deadlines.term:  # the renewer was held up since it took the lock
            self._channel.send(protocol.Gone(status=None, ended=True))
            self._over = True
            return
        try:
            self._command.start(order.argv, os.environ | order.environ, terminal=order.terminal)
        except OSError as error:
            self._channel.send(protocol.Failed(error.errno or 0))
            self._over = True
        else:
            self._channel.send(protocol.Started(self._command.group))

    def _watch(self) -> None:
        command, now = self._command, protocol.lease_clock()
        command.look()
        if command.stopped:
            command.stopped = False
            self._channel.send(protocol.Stopped())
        if not command.left:
            leftovers = self._left_since is not None and self._kill_at is not None
            self._channel.send(protocol.Gone(command.status, self._ended, leftovers))
            self._over = True
        elif self._kill_at is not None and now >= self._kill_at:
            command.signal_all(signal.SIGKILL)
        elif self._kill_at is None:
            self._decide(now)

    def _decide(self, now: int) -> None:
        if self._deadlines is not None and now >= self._deadlines.term:
            self._end()
        elif self._command.status is not None:
            self._left_since = self._left_since or now
            if now - self._left_since >= _LINGER:
                self._terminate(now)

    def _end(self) -> None:
        self._ended = self._ended or self._command.status is None
        if self._kill_at is None:
            self._terminate(protocol.lease_clock())

    def _terminate(self, now: int) -> None:
        if self._deadlines is None:
            return
        grace = self._deadlines.kill - self._deadlines.term
        self._kill_at = min(now + grace, self._deadlines.kill)
        self._command.signal_all(signal.SIGTERM)
        self._command.signal_all(signal.SIGCONT)  # a stopped process does not handle SIGTERM


@contextlib.contextmanager
def _woken_by_children() -> Iterator[socket.socket]:
    """Yield a socket that is readable when a child has changed; no signal ends this process meanwhile."""
    reading, writing = socket.socketpair()
    with reading, writing:
        for end in (reading, writing):
            end.settimeout(0)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        for number in _NOT_FOR_US:
            if signal.getsignal(number) is not signal.SIG_IGN:  # the command inherits ignored signals
                signal.signal(number, _nothing)
        yield reading


def _nothing(*_: object) -> None:
    """Handle a signal: only its wake-up matters, and the command inherits no handler, as it would SIG_IGN."""
