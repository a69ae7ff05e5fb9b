"""Rounds of `tracker lock run` in which something goes wrong: is the command gone before its lease ends?

    python -m tests.faults.lock_run --rounds 200

The command stamps the time every 10 ms, from two processes that don't heed SIGTERM, one of them in a session
of its own. A rival waits for the lock. The moment at which the store gives it to the rival is the end of the
lease: no stamp may be later.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx2
from tests.cli.commands import CLEAN
from tests.faults import stamper
from tests.patience import PATIENCE
from tests.server_process import ServerProcess
from tests.tcp_proxy import Cut, TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TTL = 3.0
"""Seconds of a lease."""


LOCKED = 75


class Fault(Enum):
    """What goes wrong; the value is the exit code of the command line that it leads to."""

    STOPPED = ("the CLI is stopped", LOCKED)
    KILLED = ("the CLI is killed", -signal.SIGKILL)
    SILENT = ("the CLI's packets are lost", LOCKED)
    RESET = ("the CLI's connections break", LOCKED)
    SERVER_KILLED = ("the server is killed, and comes back", LOCKED)

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to; times in seconds of CLOCK_BOOTTIME."""

    fault: Fault
    last_stamp: float
    """When the command was seen for the last time."""
    handed_over: float
    """When the store gave the lock to the rival."""
    exit_code: int
    stamped: frozenset[str]
    """Which of the processes of the command ran."""

    @property
    def lead(self) -> float:
        """Seconds between the end of the command and the end of its lease."""
        return self.handed_over - self.last_stamp


class Site:
    """A server, on which rounds are played one after another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ServerProcess(folder / "tracker.db")
        self._rounds = 0

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def play(self, fault: Fault, chance: random.Random) -> Round:
        """Play one round."""
        self._rounds += 1
        service = f"service-{self._rounds}"
        stamps = self._folder / f"{self._rounds}.stamps"
        with TcpProxy(self._server.http_port) as proxy, self._run(service, stamps, proxy.port) as cli:
            ran = await_stamps(stamps, cli)
            time.sleep(chance.uniform(0, TTL))  # faults fall anywhere between two renewals
            if not ran or cli.poll() is not None:
                # So busy a machine that a renewal came too late. That is no fault of the kind wanted.
                assert cli.wait(PATIENCE) == LOCKED, stamps.with_suffix(".log").read_text()
                return self.play(fault, chance)
            self._do(fault, cli, proxy)
            handed_over = self._rival(service)
            cli.send_signal(signal.SIGCONT)
            exit_code = cli.wait(PATIENCE)
        lines = [line.split() for line in stamps.read_text().splitlines()]
        last = max(int(moment) for _, moment in lines) / 1e9
        return Round(fault, last, handed_over, exit_code, frozenset(name for name, _ in lines))

    @contextlib.contextmanager
    def _run(self, service: str, stamps: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
        options = ["--service", service, "--ttl", f"{TTL}s", "--server", f"http://127.0.0.1:{port}"]
        command = [sys.executable, "-I", "-S", stamper.__file__, str(stamps)]
        with (stamps.with_suffix(".log")).open("wb") as log:
            cli = subprocess.Popen(
                [sys.executable, "-m", "tracker", "lock", "run", *options, "--", *command],
                env=CLEAN,
                stdout=log,
                stderr=log,
            )
        try:
            yield cli
        finally:
            if cli.poll() is None:
                cli.kill()
            cli.wait()

    def _do(self, fault: Fault, cli: subprocess.Popen[bytes], proxy: TcpProxy) -> None:
        match fault:
            case Fault.STOPPED:
                cli.send_signal(signal.SIGSTOP)
            case Fault.KILLED:
                cli.kill()
            case Fault.SILENT:
                proxy.cut(Cut.SILENT)
            case Fault.RESET:
                proxy.cut(Cut.RESET)
            case Fault.SERVER_KILLED:
                self._server.kill()
                proxy.cut(Cut.RESET)
                self._server.__enter__()

    def _rival(self, service: str) -> float:
        """Wait for the lock, and return when the store gave it."""
        url = f"http://127.0.0.1:{self._server.http_port}/api/v1alpha1/lock"
        body = {"service": service, "who": "rival", "wait": f"{PATIENCE}s"}
        answer = httpx2.post(url, json=body, timeout=PATIENCE + 10).raise_for_status().json()
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME) - time.time()
        return datetime.fromisoformat(answer["lock"]["createdAt"]).timestamp() + since_boot


def await_stamps(stamps: Path, cli: subprocess.Popen[bytes]) -> bool:
    """Wait until both processes of a command run; return whether they do before the end."""
    deadline = time.monotonic() + PATIENCE
    while cli.poll() is None:
        if stamps.exists() and {"command", "fled"} <= set(stamps.read_text().split()):
            return True
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two polls
    return False


def play(folder: Path, rounds: int, *, sites: int, seed: int) -> Sequence[Round]:
    """Play rounds of each fault in turn, on several servers at once."""
    faults: queue.SimpleQueue[tuple[int, Fault]] = queue.SimpleQueue()
    for number in range(rounds):
        faults.put((number, list(Fault)[number % len(Fault)]))

    def work(site_number: int) -> list[Round]:
        played = []
        (folder / str(site_number)).mkdir()
        with Site(folder / str(site_number)) as site, contextlib.suppress(queue.Empty):
            while True:
                number, fault = faults.get_nowait()
                played.append(site.play(fault, random.Random(seed + number)))
        return played

    with ThreadPoolExecutor(sites) as pool:
        return [each for site in pool.map(work, range(sites)) for each in site]


def main() -> None:
    """Play rounds, and tell how they went."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--sites", type=int, default=4)
    arguments.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = arguments.parse_args()
    tell(f"seed {given.seed}, ttl {TTL:g} s")
    with tempfile.TemporaryDirectory() as folder:
        rounds = play(Path(folder), given.rounds, sites=given.sites, seed=given.seed)
    for fault in Fault:
        leads = sorted(each.lead for each in rounds if each.fault is fault)
        if leads:
            least, middle = leads[0], leads[len(leads) // 2]
            times = f"before the lease's end: {least:.2f} s at the least, {middle:.2f} s in the middle"
            tell(f"{fault.value[0]:<40} {len(leads):4} rounds; the command was gone {times}")
    bad = [each for each in rounds if not sound(each)]
    tell("\n".join([f"{len(rounds)} rounds, {len(bad)} of them bad", *map(str, bad)]))
    sys.exit(bool(bad))


def tell(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def sound(played: Round) -> bool:
    """Return whether a round went as it must: the command ran, and was gone before the lease was."""
    ran = played.stamped == {"command", "fled"}
    return ran and played.lead > 0 and played.exit_code == played.fault.exit_code


if __name__ == "__main__":
    main()
