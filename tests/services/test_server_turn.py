"""Work that one server at a time does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.services.consumers import LEASE_SECONDS
from tracker.services.retention.turn import ServerTurn

if TYPE_CHECKING:
    from tests.clocks import StoppedClock

    from tracker.stores.base import Store


async def test_a_second_server_waits_for_the_end_of_a_turn(store: Store, clock: StoppedClock) -> None:
    first, second = (ServerTurn("work", store.consumers, name, clock) for name in ("one", "two"))
    assert await first.take()
    assert not await second.take()
    clock.seconds += LEASE_SECONDS / 2
    assert await first.take()
    assert not await second.take()
    clock.seconds += LEASE_SECONDS - 1
    assert not await second.take()
    clock.seconds += 1
    assert await second.take()
    assert not await first.take()
    await second.let_go()
    assert await first.take()
