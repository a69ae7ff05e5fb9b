"""Whether something may be deployed, by what is known."""

from __future__ import annotations

from protobuf.wkt import Duration

from tracker.domain.deployments import Facts, reasons_for, verdict_of
from tracker.domain.times import timestamp
from tracker.pb import deployment_pb, lock_pb
from tracker.time_text import MICROS

NOW = 1_800_000_000 * MICROS


def test_a_lock_whose_lease_is_over_is_in_the_way_until_its_delay_is_over() -> None:
    lock = lock_pb.Lock(who="ana", expires_at=timestamp(NOW - MICROS), lock_delay=Duration(seconds=60))
    lock.expired_at = lock.expires_at
    facts = Facts(service="shop", environment="production", version="", at=NOW, now=NOW, lock=lock)
    verdict, until = verdict_of(reasons_for(facts, lambda _: True))
    assert (verdict, until) == (deployment_pb.Verdict.not_yet, NOW + 59 * MICROS)
