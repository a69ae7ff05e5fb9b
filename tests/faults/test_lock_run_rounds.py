"""`tracker lock run` while things go wrong around it, in the short form; `lock_run.py` has the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.faults.lock_run import play, sound

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 10


@pytest.mark.timeout(300)
def test_a_command_is_gone_before_its_lease_ends_whatever_happens(tmp_path: Path) -> None:
    rounds = play(tmp_path, ROUNDS, sites=3, seed=1)
    assert len(rounds) == ROUNDS
    assert [each for each in rounds if not sound(each)] == []
