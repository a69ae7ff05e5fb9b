"""Runs a command under a guardian, and passes the user's signals on to it."""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tracker.cli.exits import FAILED, NOT_EXECUTABLE, NOT_FOUND, SIGNALLED, CommandError
from tracker.guardian import protocol
from tracker.guardian.processes import adopt_orphans, end_all, take_terminal

LOCK_VARIABLES = ("TRACKER_LOCK_TOKEN", "TRACKER_LOCK_ID", "TRACKER_FENCING_TOKEN")
"""Variables about a lock: its token, and those that the command of its holder gets."""

_PASSED_ON = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT),
)
"""Signals that the command gets when this process gets them."""

_MANY = 4096


def inherited(*but: str) -> dict[str, str]:
    """Return the variables that a command inherits: all but those about another event or lock."""
    return {name: value for name, value in os.environ.items() if name not in but}


def require_program(name: str) -> None:
    """Check that there is such a command."""
    if shutil.which(name) is None:
        if "/" in name and Path(name).exists():
            raise CommandError(f"{name} can't be run", NOT_EXECUTABLE)
        raise CommandError(f"there is no command {name}", NOT_FOUND)


def exit_code(end: protocol.Gone) -> int:
    """Return the exit code of a command that has ended, as shells count it."""
    if end.status is None:
        return FAILED
    code = os.waitstatus_to_exitcode(end.status)
    return SIGNALLED - code if code < 0 else code


def end_as(end: protocol.Gone, *, interrupts: bool) -> int:
    """Return the exit code after a command; a Ctrl-C that ended it on its terminal ends this process too."""
    if interrupts and end.status is not None and os.waitstatus_to_exitcode(end.status) == -signal.SIGINT:
        # Ends the whole job, as Ctrl-C would have done if the command had not had the terminal to itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(0, signal.SIGINT)
    return exit_code(end)


class GuardedCommand:
    """A command that a guardian runs, from the view of the process that renews the lease."""

    def __init__(
        self, environ: Mapping[str, str], *, stdout: int | None = None, stderr: int | None = None
    ) -> None:
        """Start the guardian, which takes a moment; it runs nothing yet.

        The command writes to `stdout` and `stderr`; None are those of this process.
        """
        adopt_orphans()  # so that nothing escapes if the guardian ends
        self._process, self._channel = launch(environ, stdout=stdout, stderr=stderr)
        self._sending = threading.Lock()
        self._group = 0
        self.has_terminal = _has_terminal()
        """Whether standard input is the terminal that controls this process."""
        self._stop_asked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the channel to the guardian, which then ends the command if it still runs."""
        self._channel.socket.close()
        self._process.wait()

    def await_guardian(self) -> None:
        """Wait until the guardian has started, so that its start does not count against the lease."""
        if self._channel.receive() is None:
            raise CommandError("the process that guards the command could not be started")

    def send(self, message: protocol.Message) -> None:
        """Send a message to the guardian."""
        with self._sending:
            self._channel.send(message)

    def run(self, argv: list[str], environ: dict[str, str], deadlines: protocol.Deadlines) -> protocol.Gone:
        """Run the command, and return how it ended.

        Signals to this process are passed on to the command. If this process is in the foreground of a
        terminal, the command takes its place there.
        """
        with _signals() as signals, selectors.DefaultSelector() as selector:
            for file in (signals, self._channel.socket):
                selector.register(file, selectors.EVENT_READ)
            self.send(
                protocol.Start(argv, environ, deadlines, terminal=self.has_terminal and _in_foreground())
            )
            try:
                while True:
                    ready = {key.fileobj for key, _ in selector.select()}
                    if signals in ready:
                        for number in signals.recv(_MANY):
                            self._pass_on(number)
                    if self._channel.socket in ready and (end := self._listen()) is not None:
                        break
            finally:
                self._take_terminal_back()
        if isinstance(end, protocol.Failed):
            code = NOT_FOUND if end.error == errno.ENOENT else NOT_EXECUTABLE
            raise CommandError(f"{argv[0]} can't be run: {os.strerror(end.error)}", code)
        return end

    def _listen(self) -> protocol.Gone | protocol.Failed | None:
        messages = self._channel.receive()
        if messages is None:
            end_all(self._group)
            why = "the process that guards the command was ended; so was the command"
            raise CommandError(why, SIGNALLED + signal.SIGKILL)
        for message in messages:
            match message:
                case protocol.Started(group):
                    self._group = group
                case protocol.Stopped():
                    self._stop()
                case protocol.Gone() | protocol.Failed():
                    return message
        return None

    def _pass_on(self, number: int) -> None:
        if number == signal.SIGTSTP:
            self._stop_asked = True
        if number == signal.SIGCONT and self.has_terminal and _in_foreground():
            self.send(protocol.Foreground())
        else:
            self.send(protocol.Signal(number))

    def _stop(self) -> None:
        """Stop as the command did, so that the shell takes over; the lease keeps running."""
        if not self.has_terminal and not self._stop_asked:
            return  # only the command was stopped
        self._stop_asked = False
        if not _has_job_control():
            self.send(protocol.Foreground())  # there is no shell to continue it
            return
        self._take_terminal_back()
        os.kill(0, signal.SIGSTOP)  # continues here after SIGCONT, which is passed on

    def _take_terminal_back(self) -> None:
        if self.has_terminal and self._group and not _in_foreground():
            take_terminal(os.getpgrp())


def launch(
    environ: Mapping[str, str], *, stdout: int | None = None, stderr: int | None = None
) -> tuple[subprocess.Popen[bytes], protocol.Channel]:
    """Start a guardian, and return the channel to it.

    It has a process group of its own, so that signals to the renewer's group don't reach it. The command
    inherits `environ` from it, every file that this process inherited itself, and the given standard output
    and error.
    """
    ours, its = socket.socketpair()
    with its:
        os.set_inheritable(its.fileno(), True)  # noqa: FBT003 - positional only
        command = [sys.executable, "-P", "-m", "tracker.guardian", str(its.fileno())]
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, env=dict(environ), close_fds=False, process_group=0, stdout=stdout, stderr=stderr
        )
    return process, protocol.Channel(ours)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yield a socket that has the numbers of incoming signals, one a byte."""
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.settimeout(0)
        woken_before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        taken = [each for each in _PASSED_ON if signal.getsignal(each) is not signal.SIG_IGN]
        before = {number: signal.signal(number, lambda *_: None) for number in taken}
        try:
            yield reading
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(woken_before)


def _has_terminal() -> bool:
    """Return whether standard input is the terminal that controls this process."""
    with suppress(OSError):
        return os.isatty(0) and os.tcgetpgrp(0) >= 0
    return False


def _in_foreground() -> bool:
    with suppress(OSError):
        return os.tcgetpgrp(0) == os.getpgrp()
    return False


def _has_job_control() -> bool:
    """Return whether a shell of the same session started this process, which could continue it."""
    with suppress(OSError):
        return os.getsid(os.getppid()) == os.getsid(0)
    return False
