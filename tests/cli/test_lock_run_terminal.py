"""`tracker lock run` on a terminal: the command is in the foreground, as if it had been started directly."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import CLEAN, at
from tests.cli.terminal import CTRL_C, CTRL_Z, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server_process import ServerProcess

COUNT_INTERRUPTS = """
import signal, sys, time
count = 0
def interrupted(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, interrupted)
print("it", "runs", flush=True)
while not count:
    time.sleep(0.01)
time.sleep(0.3)
print(f"interrupted {count} times", flush=True)
"""


@pytest.fixture
def terminal(server: ServerProcess) -> Iterator[Terminal]:
    with Terminal(CLEAN | at(server)) as terminal:
        yield terminal


def under_lock(service: str, *command: str) -> bytes:
    """Return what is typed to run a command under a lock."""
    run = [sys.executable, "-m", "tracker", "lock", "run", "--service", service, "--", *command]
    return shlex.join(run).encode() + b"; echo exit code $?\n"


def test_a_command_can_ask_the_user(terminal: Terminal, service: str) -> None:
    script = "printf 'your name'; echo '?'; read name < /dev/tty; echo hello, $name"
    terminal.type(under_lock(service, "bash", "-c", script))
    terminal.expect(r"your name\?")
    terminal.type(b"ada\n")
    terminal.expect("hello, ada")
    terminal.expect("exit code 0\n")


def test_an_interrupt_reaches_the_command_once(terminal: Terminal, service: str) -> None:
    terminal.type(under_lock(service, sys.executable, "-c", COUNT_INTERRUPTS))
    terminal.expect("it runs")
    terminal.type(CTRL_C)
    terminal.expect("interrupted 1 times")
    terminal.expect("exit code 0\n")


def test_an_interrupt_ends_the_script_that_the_command_is_a_line_of(terminal: Terminal, service: str) -> None:
    under = under_lock(service, "sh", "-c", "echo it runs | tr a-z A-Z; exec sleep 600").decode()
    script = f"{under}echo 'the next' line"
    terminal.type(f"bash -c {shlex.quote(script)}\n".encode())
    terminal.expect("IT RUNS")
    terminal.type(CTRL_C)
    terminal.type(b"echo code $?\n")
    seen = terminal.expect(r"(?s)^(.*)code 130\n")[1]
    assert "the next line" not in seen


def test_a_command_can_be_stopped_and_continued(terminal: Terminal, service: str) -> None:
    script = "echo it runs | tr a-z A-Z; read line; echo and got $line"
    terminal.type(under_lock(service, "bash", "-c", script))
    terminal.expect("IT RUNS")
    terminal.type(CTRL_Z)
    terminal.expect("Stopped")
    terminal.type(b"fg\n")
    terminal.expect("lock run")
    terminal.type(b"on\n")
    terminal.expect("and got on")


def test_the_terminal_is_given_back(terminal: Terminal, service: str) -> None:
    terminal.type(under_lock(service, "sh", "-c", "kill -KILL $$"))
    terminal.expect("exit code 137\n")
    terminal.type(b"read line; echo got $line | tr a-z A-Z\n")
    terminal.type(b"this\n")
    terminal.expect("GOT THIS")
