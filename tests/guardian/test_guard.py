"""The guardian by itself: the deadlines of a command, and what becomes of it when its renewer is gone."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.patience import PATIENCE

from tracker.cli.lock.running import launch
from tracker.guardian.protocol import (
    Deadlines,
    Failed,
    Gone,
    Ready,
    Renewed,
    Signal,
    Start,
    Started,
    lease_clock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracker.guardian.protocol import Channel, Message

SECOND = 1_000_000_000

STUBBORN = "trap '' TERM; while :; do sleep 0.02; done"

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can adopt others")


def within(term: float, kill: float) -> Deadlines:
    """Return deadlines in some seconds from now."""
    now = lease_clock()
    return Deadlines(now + int(term * SECOND), now + int(kill * SECOND))


LATER = within(3600, 3601)


@dataclass
class Guardian:
    """A guardian, from the side of a renewer."""

    channel: Channel
    heard: deque[Message] = field(default_factory=deque)

    def send(self, message: Message) -> None:
        """Tell it something."""
        assert self.channel.send(message)

    def hear(self) -> Message:
        """Return what it says next."""
        while not self.heard:
            messages = self.channel.receive()
            assert messages is not None
            self.heard += messages
        return self.heard.popleft()

    def start(self, script: str, deadlines: Deadlines = LATER) -> int:
        """Have it run a script of the shell, and return the process id of that."""
        self.send(Start(["sh", "-c", script], {}, deadlines, terminal=False))
        message = self.hear()
        assert isinstance(message, Started)
        return message.group


@contextlib.contextmanager
def guardian() -> Iterator[Guardian]:
    """A guardian that is ready; at the end of the block it must end by itself, with all it started."""
    process, channel = launch(os.environ)
    try:
        with channel.socket:
            channel.socket.settimeout(PATIENCE)
            guardian = Guardian(channel)
            assert guardian.hear() == Ready()
            yield guardian
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_a_command_that_ends_before_its_deadline_is_left_alone() -> None:
    with guardian() as guarded:
        guarded.start("exit 7")
        assert guarded.hear() == Gone(status=7 << 8)


def test_a_command_is_told_to_end_at_the_first_deadline() -> None:
    with guardian() as guarded:
        deadlines = within(0.5, 3600)
        guarded.start("exec sleep 600", deadlines)
        assert guarded.hear() == Gone(status=signal.SIGTERM, ended=True)
        assert deadlines.term <= lease_clock() < deadlines.kill


def test_a_command_that_does_not_listen_is_killed_at_the_second_deadline() -> None:
    with guardian() as guarded:
        deadlines = within(0.3, 0.8)
        guarded.start(STUBBORN, deadlines)
        assert guarded.hear() == Gone(status=signal.SIGKILL, ended=True)
        assert lease_clock() >= deadlines.kill


def test_a_stopped_command_hears_that_it_must_end() -> None:
    with guardian() as guarded:
        command = psutil.Process(guarded.start("exec sleep 600"))
        command.suspend()
        guarded.send(Renewed(within(0.5, 3600)))
        while not isinstance(message := guarded.hear(), Gone):
            pass
        assert message == Gone(status=signal.SIGTERM, ended=True)


def test_a_renewed_lease_moves_the_deadlines() -> None:
    with guardian() as guarded:
        first = within(1, 1.2)
        guarded.start("exec sleep 600", first)
        later = within(2, 2.2)
        guarded.send(Renewed(later))
        assert guarded.hear() == Gone(status=signal.SIGTERM, ended=True)
        assert lease_clock() >= later.term


def test_a_command_whose_lease_is_over_is_not_started(tmp_path: Path) -> None:
    with guardian() as guarded:
        script = f"touch {tmp_path}/started"
        guarded.send(Start(["sh", "-c", script], {}, within(-1, 1), terminal=False))
        assert guarded.hear() == Gone(status=None, ended=True)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(("program", "number"), [("no-such-program", errno.ENOENT), ("/", errno.EACCES)])
def test_a_command_that_can_not_be_started_is_said_with_its_reason(program: str, number: int) -> None:
    with guardian() as guarded:
        guarded.send(Start([program], {}, LATER, terminal=False))
        assert guarded.hear() == Failed(number)


def test_the_end_of_the_renewer_is_the_end_of_the_command() -> None:
    with guardian() as guarded:
        command = psutil.Process(guarded.start("exec sleep 600"))
    assert not command.is_running()


@linux
def test_nothing_that_a_command_started_outlives_it() -> None:
    flee = f"setsid sh -c \"(setsid sh -c '{STUBBORN.replace(chr(39), chr(92) + chr(34))}' &)\""
    with guardian() as guarded:
        script = f"trap '' TERM; ({flee} &); (sleep 600 &); echo; while :; do sleep 0.02; done"
        command = psutil.Process(guarded.start(script))
        guard = command.parent()
        assert guard is not None
        deadline = time.monotonic() + PATIENCE
        while len(family := guard.children(recursive=True)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two polls
        guarded.send(Renewed(within(0, 0.5)))
        assert guarded.hear() == Gone(status=signal.SIGKILL, ended=True)
        assert not [each for each in family if each.is_running()]


def test_signals_that_end_others_do_not_end_the_guardian() -> None:
    with guardian() as guarded:
        command = psutil.Process(guarded.start("exec sleep 600"))
        guard = command.parent()
        assert guard is not None
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1):
            guard.send_signal(number)
        guarded.send(Signal(signal.SIGTERM))
        assert guarded.hear() == Gone(status=signal.SIGTERM)
