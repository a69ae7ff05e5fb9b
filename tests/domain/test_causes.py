"""How changes are compared with an incident, without a store."""

from __future__ import annotations

import random
from math import exp, log

import pytest
from bench.postmortems import cases

from tracker.domain.causes.features import changes_before
from tracker.domain.causes.freezes import lifted_before
from tracker.domain.causes.history import History, Place, neighbourhood
from tracker.domain.causes.ranking import ranked
from tracker.domain.causes.weights import DEFAULTS, NO_RECORDED_CAUSE, read_weights
from tracker.domain.dependencies import dependencies_of
from tracker.domain.scopes import Subject
from tracker.domain.times import timestamp
from tracker.logit import Case, fit, log_loss
from tracker.pb import catalog_pb, event_pb, freeze_pb
from tracker.time_text import MICROS

HOUR = 3_600 * MICROS
AT = 500_000 * HOUR


def event(number: int, at: int, **given: object) -> event_pb.Event:
    """Return a finished event of the service `shop` in production, that took ten minutes."""
    attributes = event_pb.EventAttributes(
        service="shop",
        type=event_pb.Type.deployment,
        environment=event_pb.Environment.production,
        status=event_pb.Status.success,
        start_date=timestamp(at),
        end_date=timestamp(at + HOUR // 6),
    )
    for name, value in given.items():
        setattr(attributes, name, value)
    metadata = event_pb.EventMetadata(id=f"0190d6e0-0000-7000-8000-{number:012}")
    return event_pb.Event(title=f"event {number}", attributes=attributes, metadata=metadata)


INCIDENT = event(0, AT, type=event_pb.Type.incident, status=event_pb.Status.open, end_date=None)


def test_a_share_can_be_computed_by_hand() -> None:
    change = event(1, AT - HOUR, labels={"lines_changed": "1000"})
    (found,) = changes_before(INCIDENT, [change], {"shop": Place(0)}, History({"shop": 6}, {}), AT)
    assert found.features == {
        "same_service": 1,
        "same_environment": 1,
        "age": pytest.approx(log(1 + 50 / 5)),
        "size": pytest.approx(1),
        "rare": pytest.approx(log(14 / 7)),
        "incident_prone": pytest.approx(log(1 / 26 / 0.05)),
    }
    ranking = ranked([found], DEFAULTS, {})
    score = sum(DEFAULTS[name] * value for name, value in found.features.items())
    odds = exp(score - DEFAULTS[NO_RECORDED_CAUSE])
    assert ranking.changes[0].share == pytest.approx(odds / (1 + odds))
    assert ranking.changes[0].share + ranking.no_recorded_cause == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "feature"),
    [
        ({"status": event_pb.Status.failure}, "failed"),
        ({"end_date": timestamp(AT + HOUR)}, "running"),
        ({"type": event_pb.Type.drift}, "drift"),
        ({"labels": {"change": "feature flag"}}, "configuration"),
        ({"service": "ledger"}, "also_failing"),
        ({"service": "pay.api"}, "mentioned"),
        ({"service": "pay.api"}, "stranger_mentioned"),
        ({"version": "2.4.0"}, "mentioned"),
        ({"region": "eu"}, "other_place"),
        ({"related_id": INCIDENT.metadata.id if INCIDENT.metadata else ""}, "linked"),
    ],
)
def test_what_is_known_of_a_change_is_a_feature(given: dict[str, object], feature: str) -> None:
    incident = event(0, AT, type=event_pb.Type.incident, end_date=None, region="us")
    incident.title = "shop: calls to pay.api fail since 2.4.0, not 2.4.01"
    history = History(failing={"ledger": AT})
    plain, changed = (
        changes_before(incident, [event(1, AT - HOUR, **of)], {}, history, AT)[0].features
        for of in ({}, given)
    )
    assert (plain.get(feature, 0), changed[feature]) == (0, 1)


def test_age_counts_by_where_a_change_is_and_whether_it_goes_on() -> None:
    minute = HOUR // 60
    before = [
        event(1, AT - 12 * minute),
        event(2, AT - 18 * minute, service="pay"),
        event(3, AT - 20 * minute, service="mail", end_date=timestamp(AT + HOUR)),
    ]
    places = {"shop": Place(0), "pay": Place(1, others=log(3))}
    history = History(failing={"pay": AT + 5 * minute})
    own, called, stranger = (
        change.features for change in changes_before(INCIDENT, before, places, history, AT + HOUR // 2)
    )
    assert called["shared"] == pytest.approx(log(3))
    assert called["also_failing"] == pytest.approx(1 / 2)
    assert stranger["stranger_age"] == stranger["running_age"] == pytest.approx(log(1 + 20 / 5))
    assert not {"stranger_age", "running_age", "shared"} & own.keys()


def test_neighbours_are_found_in_both_directions_and_not_around_corners() -> None:
    entries = [
        catalog_pb.Catalog(name=name, dependencies_out=called)
        for name, called in (
            ("app", ["shop"]),
            ("shop", ["pay"]),
            ("pay", ["db", "shop"]),
            ("mail", ["pay"]),
            ("web", ["app"]),
        )
    ]
    assert neighbourhood(dependencies_of(entries), "shop") == {
        "shop": Place(0),
        "pay": Place(1, others=log(2)),
        "app": Place(1, caller=True),
        "db": Place(2, others=log(2)),
        "web": Place(2, caller=True),
        "mail": Place(2, caller=True, others=log(2)),
    }


def test_weights_are_found_again_from_what_they_lead_to() -> None:
    chance = random.Random(7)
    true = {"near": 1.5, "age": -0.8, "none": 0.5}
    drawn = []
    for _ in range(1_500):
        alternatives = [
            {"near": float(chance.random() < 0.4), "age": chance.expovariate(1)} for _ in range(6)
        ]
        alternatives.append({"none": 1.0})
        rates = [exp(sum(true[name] * value for name, value in each.items())) for each in alternatives]
        drawn.append(Case(alternatives, chance.choices(range(7), rates)))
    start = dict.fromkeys(true, 0.0)
    found = fit(drawn, start, spread=10)
    assert found == pytest.approx(true, abs=0.25)
    assert log_loss(drawn, found) <= log_loss(drawn, true) < log_loss(drawn, start)
    assert fit(drawn, start, spread=0.001) == pytest.approx(start, abs=0.05)


@pytest.mark.parametrize("word", ["age", "age=x", "agee=1", "age=1e9", "age=nan", "age=--1"])
def test_a_weight_that_is_none_is_refused(word: str) -> None:
    assert read_weights(["age=-1.5", "size = 0.25"]) == {**DEFAULTS, "age": -1.5, "size": 0.25}
    with pytest.raises(ValueError, match="expected one of same_service, "):
        read_weights([word])


def test_public_incidents_have_causes_before_them_or_none() -> None:
    known = cases()
    assert len({case.name for case in known}) == len(known) >= 15
    assert all(case.before > 0 for case in known if case.cause)
    assert any(not case.cause for case in known)


def freeze(title: str, end: int, **given: object) -> freeze_pb.FreezeWindow:
    """Return a hard freeze window for everything, of two hours."""
    window = freeze_pb.FreezeWindow(id=title, title=title, type=freeze_pb.FreezeType.HARD, active=True)
    window.timezone = "UTC"
    window.starts_at, window.ends_at = timestamp(end - 2 * HOUR), timestamp(end)
    for name, value in given.items():
        setattr(window, name, value)
    return window


SHOP = Subject("shop", "production", "web")
SUBJECTS = {
    SHOP: Place(0),
    SHOP._replace(service="ledger", team="core"): Place(1),
    SHOP._replace(service="app"): Place(1, caller=True),
}


def test_freeze_windows_count_that_ended_for_the_service_or_what_it_calls() -> None:
    windows = [
        freeze("of shop", AT - HOUR, services=["shop"], environments=["prod"]),
        freeze("of what core owns", AT - 2 * HOUR, teams=["core"]),
        freeze("daily", AT - (9 * 24 + 5) * HOUR, teams=["web"], rrule="FREQ=DAILY"),
        freeze("of a caller", AT - HOUR, services=["app"]),
        freeze("elsewhere", AT - HOUR, environments=["UAT"]),
        freeze("off", AT - HOUR, active=False),
        freeze("still in effect", AT + HOUR // 2, type=freeze_pb.FreezeType.SOFT),
        freeze("long before", AT - 30 * HOUR),
        freeze("followed by another", AT - HOUR - HOUR // 2, services=["shop"]),
    ]
    changes = [event(1, AT - HOUR // 2), event(2, AT - 6 * HOUR), event(3, AT - 1, service="ledger")]
    found = lifted_before(INCIDENT, windows, SUBJECTS, changes, (AT - 24 * HOUR, AT))
    assert [(each.occurrence.window.title, each.service, each.begun) for each in found] == [
        ("of shop", "shop", 1),
        ("of what core owns", "ledger", 1),
        ("daily", "shop", 1),
    ]
    assert found[0].features == {
        "same_service": 1,
        "same_environment": 1,
        "freeze_lifted": 1,
        "age": pytest.approx(log(1 + 60 / 5)),
    }


def test_no_freeze_window_outweighs_no_recorded_cause_or_what_began_after_it() -> None:
    windows = [freeze("of shop", AT - HOUR // 60)]
    lifted = lifted_before(INCIDENT, windows, SUBJECTS, [], (AT - 24 * HOUR, AT))
    alone = ranked(lifted, DEFAULTS, {})
    assert alone.changes[0].share < alone.no_recorded_cause
    late = event(1, AT - HOUR // 120, end_date=timestamp(AT + HOUR), service="ledger")
    (change,) = changes_before(INCIDENT, [late], {"ledger": Place(1)}, History(), AT)
    assert [each.change for each in ranked([change, *lifted], DEFAULTS, {}).changes][-1] is lifted[0]
