from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.event_locks import LockPlan, event_lock, plan_for_update
from tracker.domain.locks import (
    Ending,
    LockFilter,
    begin_lease,
    hash_token,
    lock_filter,
    lock_key,
    next_fencing_token,
    renew_lease,
)
from tracker.domain.times import duration, micros, timestamp
from tracker.pb import event_pb, lock_pb
from tracker.services.locks.reporter import end_message, held_message, holder_metadata
from tracker.time_text import MICROS

Status, Type, Environment = event_pb.Status, event_pb.Type, event_pb.Environment
lock_of = partial(event_lock, lock_id="new", now=0)


def event(
    status: event_pb.Status = Status.start,
    *,
    type_: event_pb.Type = Type.deployment,
    service: str = "payments",
    environment: event_pb.Environment = Environment.production,
) -> event_pb.Event:
    return event_pb.Event(
        attributes=event_pb.EventAttributes(
            status=status, type=type_, service=service, environment=environment
        ),
        metadata=event_pb.EventMetadata(id="event"),
    )


HELD = lock_pb.Lock(
    id="held", service="payments", environment="production", resource="deployment", event_id="event"
)


def lock(fields: dict[str, str]) -> lock_pb.Lock:
    return lock_pb.Lock(
        service="a", environment=fields.get("environment", ""), resource=fields.get("resource", "")
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"environment": "PROD"}, {"environment": "production"}),
        ({"environment": "UAT"}, {"environment": "uat"}),
        ({"environment": ""}, {"environment": "ENVIRONMENT_UNSPECIFIED"}),
        ({"resource": ""}, {"resource": "deployment"}),
        ({"resource": "Operation"}, {"resource": "operation"}),
        ({"environment": " Canary "}, {"environment": "canary"}),
    ],
)
def test_two_ways_to_write_a_key_are_one_key(one: dict[str, str], other: dict[str, str]) -> None:
    assert lock_key(lock(one)) == lock_key(lock(other))


@pytest.mark.parametrize(
    "other",
    [
        lock_pb.Lock(service="Payments", environment="production"),
        lock_pb.Lock(service="payments", environment="preproduction"),
        lock_pb.Lock(service="payments", environment="production", resource="operation"),
    ],
)
def test_another_service_environment_or_resource_is_another_key(other: lock_pb.Lock) -> None:
    assert lock_key(other) != lock_key(HELD)


@pytest.mark.parametrize("status", [Status.start, Status.in_progress])
@pytest.mark.parametrize("type_", [Type.deployment, Type.operation])
def test_work_under_way_takes_a_lock(status: event_pb.Status, type_: event_pb.Type) -> None:
    lock = plan_for_update(event_pb.Event(), event(status, type_=type_), (), lock_of).acquire
    assert lock is not None
    assert (lock.service, lock.environment, lock.resource) == ("payments", "production", type_.name)
    assert (lock.who, lock.event_id) == ("system", "event")


@pytest.mark.parametrize(
    "other",
    [
        event(Status.planned),
        event(Status.success),
        event(type_=Type.incident),
        event(service=""),
        event(environment=Environment.UNSPECIFIED),
        event(environment=Environment(99)),
        event_pb.Event(),
    ],
)
def test_nothing_else_takes_a_lock(other: event_pb.Event) -> None:
    assert plan_for_update(event_pb.Event(), other, (), lock_of).acquire is None


@pytest.mark.parametrize("status", [Status.success, Status.failure, Status.error, Status.done, Status.close])
def test_the_end_of_the_work_releases_every_lock_of_the_event(status: event_pb.Status) -> None:
    manual = lock_pb.Lock(id="manual", service="database", event_id="event")
    plan = plan_for_update(event(), event(status), [HELD, manual], lock_of)
    assert plan == LockPlan(release=(HELD, manual))


@pytest.mark.parametrize("status", [Status.in_progress, Status.warning, Status.user_update])
def test_work_that_goes_on_keeps_its_lock(status: event_pb.Status) -> None:
    assert plan_for_update(event(), event(status), [HELD], lock_of) == LockPlan()


def test_planned_work_takes_its_lock_when_it_begins() -> None:
    plan = plan_for_update(event(Status.planned), event(Status.in_progress), [], lock_of)
    assert plan.acquire is not None


def test_a_lock_that_somebody_released_is_not_taken_again() -> None:
    assert plan_for_update(event(Status.start), event(Status.in_progress), [], lock_of) == LockPlan()


@pytest.mark.parametrize(
    "moved",
    [
        event(service="checkout"),
        event(environment=Environment.preproduction),
        event(type_=Type.operation),
    ],
)
def test_work_that_moves_takes_its_lock_along(moved: event_pb.Event) -> None:
    plan = plan_for_update(event(), moved, [HELD], lock_of)
    assert plan.release == (HELD,)
    assert plan.acquire == lock_of(moved)


def test_what_is_no_deployment_any_more_lets_go_of_its_lock() -> None:
    assert plan_for_update(event(), event(type_=Type.incident), [HELD], lock_of) == LockPlan(release=(HELD,))


def test_without_automatic_locks_only_the_end_releases() -> None:
    def none(_: event_pb.Event) -> None:
        return None

    assert plan_for_update(event(), event(service="other"), [HELD], none) == LockPlan()
    assert plan_for_update(event(), event(Status.done), [HELD], none) == LockPlan(release=(HELD,))


def test_work_that_goes_on_renews_the_lease_of_its_own_lock() -> None:
    own = begin_lease(HELD, 0, duration(MICROS))
    manual = begin_lease(lock_pb.Lock(id="manual", service="database", event_id="event"), 0, duration(MICROS))
    plan = plan_for_update(event(), event(Status.in_progress), [manual, own], lock_of)
    assert plan == LockPlan(renew=(own,))


def test_an_expired_lock_is_not_renewed_by_its_event() -> None:
    expired = begin_lease(HELD, 0, duration(MICROS))
    expired.expired_at = timestamp(MICROS)
    assert plan_for_update(event(), event(Status.in_progress), [expired], lock_of) == LockPlan()


def test_the_lock_of_an_event_has_the_lease_it_is_given() -> None:
    leased = event_lock(event(), lock_id="new", now=5, ttl=duration(MICROS))
    assert leased is not None
    assert leased.expires_at == timestamp(MICROS + 5)
    assert (lock_of(event()) or leased).expires_at is None


_TIMES = st.integers(0, 2**62)


@given(last=_TIMES, now=_TIMES)
def test_fencing_tokens_rise_whatever_the_clock_says(last: int, now: int) -> None:
    token = next_fencing_token(last, now)
    assert token > last
    assert token >= now // 1000


@given(now=st.integers(0, 10**15), ttl=st.integers(1, 10**12), later=st.integers(0, 10**12))
def test_a_lease_lasts_its_ttl_from_when_it_began_last(now: int, ttl: int, later: int) -> None:
    lease = begin_lease(HELD, now, duration(ttl))
    renewed = renew_lease(lease, now + later)
    assert lease.expires_at is not None
    assert renewed.expires_at is not None
    assert micros(lease.expires_at) == now + ttl
    assert micros(renewed.expires_at) == now + later + ttl
    assert (lease.renewals, renewed.renewals) == (0, 1)
    assert HELD.expires_at is None


def test_a_renewal_may_change_the_ttl() -> None:
    renewed = renew_lease(begin_lease(HELD, 0, duration(MICROS)), 0, duration(9 * MICROS))
    assert (renewed.ttl, renewed.expires_at) == (duration(9 * MICROS), timestamp(9 * MICROS))


def test_no_token_has_no_hash() -> None:
    assert hash_token("") == b""
    assert len(hash_token("a")) == 32
    assert hash_token("a") != hash_token("b")


def test_a_filter_is_written_as_keys_are() -> None:
    assert lock_filter("a", " PROD ", "Deployment") == LockFilter("a", "production", "deployment")
    assert lock_filter("", "", "") == LockFilter()


def test_a_holder_is_told_with_its_reason_and_times_where_it_has_them() -> None:
    assert held_message(HELD) == (
        "service payments is already locked for deployment in production by nobody named"
        " (lock_id: held, event_id: event)"
    )
    leased = begin_lease(HELD, 0, duration(MICROS))
    leased.created_at, leased.reason, leased.who = timestamp(0), "a migration", "ana"
    assert held_message(leased) == (
        "service payments is already locked for deployment in production by ana"
        " (lock_id: held, event_id: event); reason: a migration; since 1970-01-01T00:00:00Z"
        "; until 1970-01-01T00:00:01Z"
    )


def test_of_a_long_reason_a_part_is_told() -> None:
    holder = lock_pb.Lock(reason="x" * 2000)
    assert holder_metadata(holder)["reason"] == "x" * 199 + "…"
    assert "x" * 199 + "…" in held_message(holder)


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending.RELEASED, "it was released at 1970-01-01T00:00:00Z"),
        (Ending.EXPIRED, "its lease expired at 1970-01-01T00:00:00Z"),
        (Ending.FORCED, "it was released by force at 1970-01-01T00:00:00Z, reason: stuck"),
        (Ending.EVENT_ENDED, "its event ended at 1970-01-01T00:00:00Z"),
    ],
)
def test_an_end_is_told_in_words(ending: Ending, told: str) -> None:
    reason = "stuck" if ending is Ending.FORCED else ""
    assert end_message(HELD, ending, 0, reason) == (
        f"lock held of service payments for deployment in production is no longer held: {told}"
    )
