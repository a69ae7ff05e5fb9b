import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.changelog import differences, locked, unlocked
from tracker.domain.times import timestamp
from tracker.pb import event_pb, lock_pb

NOW = 1_800_000_000_000_000
Change = event_pb.ChangeType


def event(title: str = "Deploy", ticket: str = "", **fields: object) -> event_pb.Event:
    attributes = event_pb.EventAttributes(service="payments", type=event_pb.Type.deployment)
    for name, value in fields.items():
        setattr(attributes, name, value)
    return event_pb.Event(title=title, attributes=attributes, links=event_pb.EventLinks(ticket=ticket))


def entries(before: event_pb.Event, after: event_pb.Event) -> list[tuple[str, str, str, str, str]]:
    return [
        (entry.change_type.name, entry.field, entry.old_value, entry.new_value, entry.comment)
        for entry in differences(before, after, NOW)
    ]


def test_nothing_changed_leaves_no_entry() -> None:
    assert entries(event(), event()) == []


@pytest.mark.parametrize(
    ("before", "after", "entry"),
    [
        (
            event(status=event_pb.Status.start),
            event(status=event_pb.Status.success),
            ("status_changed", "status", "start", "success", "Status updated"),
        ),
        (event(), event(title="Roll back"), ("updated", "title", "Deploy", "Roll back", "Title updated")),
        (
            event(priority=event_pb.Priority.P1),
            event(priority=event_pb.Priority.P3),
            ("updated", "priority", "P1", "P3", "Priority updated"),
        ),
        (event(), event(ticket="OPS-1"), ("linked", "ticket", "", "OPS-1", "Jira ticket linked")),
        (event(ticket="OPS-1"), event(), ("updated", "ticket", "OPS-1", "", "Ticket updated")),
        (event(), event(owner="ana"), ("approved", "owner", "", "ana", "Event approved by ana")),
        (event(), event(impact=True), ("updated", "impact", "false", "true", "Impact updated")),
        (
            event(stake_holders=["a"]),
            event(stake_holders=["a", "b"]),
            ("updated", "stake_holders", "a", "a, b", "Stake holders updated"),
        ),
        (
            event(),
            event(start_date=timestamp(NOW)),
            ("updated", "start_date", "", "2027-01-15T08:00:00Z", "Start date updated"),
        ),
        (
            event(),
            event(environment=event_pb.Environment(99)),
            ("updated", "environment", "ENVIRONMENT_UNSPECIFIED", "99", "Environment updated"),
        ),
    ],
)
def test_every_change_has_an_entry_with_its_old_and_new_value(
    before: event_pb.Event, after: event_pb.Event, entry: tuple[str, str, str, str, str]
) -> None:
    assert entries(before, after) == [entry]


def test_a_new_owner_does_not_approve_what_it_changed() -> None:
    changes = entries(event(), event(owner="ana", title="Other"))
    assert [change[:2] for change in changes] == [("updated", "title"), ("updated", "owner")]


def test_the_author_is_the_owner_or_the_system() -> None:
    assert differences(event(), event(title="x", owner="ana"), NOW)[0].user == "ana"
    assert differences(event(), event(title="x"), NOW)[0].user == "system"


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_as_many_entries_as_fields_differ(message: str, other: str, source: str, other_source: str) -> None:
    found = differences(event(message=message, source=source), event(message=other, source=other_source), NOW)
    assert len(found) == (message != other) + (source != other_source)


def test_a_lock_leaves_entries_when_taken_and_released() -> None:
    lock = lock_pb.Lock(service="payments", environment="production", who="ana")
    assert [
        (e.change_type, e.user, e.comment) for e in (locked(lock, NOW), unlocked(lock, NOW, lock.who))
    ] == [
        (Change.locked, "ana", "Service locked in production"),
        (Change.unlocked, "ana", "Service unlocked in production"),
    ]
