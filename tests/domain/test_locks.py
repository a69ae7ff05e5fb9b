from functools import partial

import pytest

from tracker.domain.locks import event_lock, lock_key, plan_for_new, plan_for_update
from tracker.pb import event_pb, lock_pb

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
    lock = plan_for_new(event(status, type_=type_), lock_of).acquire
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
    assert plan_for_new(other, lock_of).acquire is None


@pytest.mark.parametrize("status", [Status.success, Status.failure, Status.error, Status.done, Status.close])
def test_the_end_of_the_work_releases_every_lock_of_the_event(status: event_pb.Status) -> None:
    manual = lock_pb.Lock(id="manual", service="database", event_id="event")
    plan = plan_for_update(event(), event(status), [HELD, manual], lock_of)
    assert plan == ((HELD, manual), None)


@pytest.mark.parametrize("status", [Status.in_progress, Status.warning, Status.user_update])
def test_work_that_goes_on_keeps_its_lock(status: event_pb.Status) -> None:
    assert plan_for_update(event(), event(status), [HELD], lock_of) == ((), None)


def test_planned_work_takes_its_lock_when_it_begins() -> None:
    plan = plan_for_update(event(Status.planned), event(Status.in_progress), [], lock_of)
    assert plan.acquire is not None


def test_a_lock_that_somebody_released_is_not_taken_again() -> None:
    assert plan_for_update(event(Status.start), event(Status.in_progress), [], lock_of) == ((), None)


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
    assert plan_for_update(event(), event(type_=Type.incident), [HELD], lock_of) == ((HELD,), None)


def test_without_automatic_locks_only_the_end_releases() -> None:
    def none(_: event_pb.Event) -> None:
        return None

    assert plan_for_update(event(), event(service="other"), [HELD], none) == ((), None)
    assert plan_for_update(event(), event(Status.done), [HELD], none) == ((HELD,), None)
