"""`tracker lock run` while things go wrong around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.lock_run import play, sound
from tests.soak import size, soaks

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = size(5, soak=50)


@soaks
def test_a_command_is_gone_before_its_lease_ends_whatever_happens(tmp_path: Path) -> None:
    rounds = play(tmp_path, ROUNDS, sites=3, seed=1)
    assert len(rounds) == ROUNDS
    assert [each for each in rounds if not sound(each)] == []
