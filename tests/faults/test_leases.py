"""What becomes of leases when the server is killed, stopped, or its wall clock is set."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from tests.faults.locks import FAKETIME, Locks
from tests.server_process import ServerProcess

from tracker.stores.sqlite.backup import backup, restore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TTL = 1.0


def test_a_lease_has_a_whole_ttl_again_after_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    with ServerProcess(database) as server, Locks(server) as locks:
        held = locks.take(ttl=f"{TTL:g}s")
        server.kill()
    began = time.monotonic()
    with ServerProcess(database) as server, Locks(server) as locks:
        assert locks.exists(held)
        locks.wait_for_end(held)
        assert time.monotonic() - began >= TTL
        assert int(locks.take()["fencingToken"]) > int(held["fencingToken"])


def test_a_lease_can_be_renewed_after_the_server_was_stopped_for_longer_than_its_ttl(
    tmp_path: Path,
) -> None:
    with ServerProcess(tmp_path / "tracker.db") as server, Locks(server) as locks:
        held = locks.take(ttl=f"{TTL:g}s")
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(2 * TTL)  # how long it is stopped
        server.process.send_signal(signal.SIGCONT)
        went_on = time.monotonic()
        locks.wait_for_end(locks.renew(held))
        assert time.monotonic() - went_on >= TTL


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """Return the file that says by how much the server's wall clock is wrong."""
    if not FAKETIME.exists():
        pytest.skip(f"LEFT OUT: jumps of the wall clock, for want of {FAKETIME} (Debian's `faketime`)")
    file = tmp_path / "clock"
    file.write_text("+0d")
    return file


@pytest.fixture
def jumping(tmp_path: Path, clock: Path) -> Iterator[ServerProcess]:
    with ServerProcess(
        tmp_path / "tracker.db",
        LD_PRELOAD=str(FAKETIME),
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    ) as server:
        yield server


def test_a_jump_of_the_wall_clock_ends_no_lease_early_and_none_late(
    jumping: ServerProcess, clock: Path
) -> None:
    with Locks(jumping) as locks:
        for jump in ("+1h", "-1h", "+30d", "-30d"):
            asked = time.monotonic()
            held = locks.take(ttl=f"{TTL:g}s")
            clock.write_text(jump)
            locks.wait_for_end(held)
            assert time.monotonic() - asked >= TTL


def test_tokens_rise_and_renewed_leases_go_on_while_the_wall_clock_jumps(
    jumping: ServerProcess, clock: Path
) -> None:
    with Locks(jumping) as locks:
        tokens, days = [], set()
        leased = locks.take(environment="another", ttl="5s")
        for jump in ("+30d", "-30d", "+1h", "-1h", "+0d"):
            clock.write_text(jump)
            held = locks.take()
            days.add(held["createdAt"][:10])
            tokens.append(int(held["fencingToken"]))
            locks.release(held)
            leased = locks.renew(leased)
        assert tokens == sorted(set(tokens))
        assert len(days) >= 3, "the clock did not jump"


def test_tokens_rise_over_a_restored_backup(tmp_path: Path) -> None:
    database, copy = tmp_path / "tracker.db", tmp_path / "copy.db"
    with ServerProcess(database) as server, Locks(server) as locks:
        locks.release(locks.take())
        backup(database, copy)
        for _ in range(5):
            last = locks.take()
            locks.release(last)
        server.terminate()
    restore(copy, database, force=True)
    with ServerProcess(database) as server, Locks(server) as locks:
        assert int(locks.take()["fencingToken"]) > int(last["fencingToken"])
