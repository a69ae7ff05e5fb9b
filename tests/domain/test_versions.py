"""What runs where, by recorded deployments, and the order of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tracker.domain.events import event_id
from tracker.domain.times import timestamp
from tracker.domain.versions.deployments import Comparison, Promotion, deployed_versions
from tracker.domain.versions.schemes import places_of, read_schemes, scheme_of
from tracker.errors import SetupError
from tracker.pb import event_pb, version_pb
from tracker.stores.documents import read_brief

if TYPE_CHECKING:
    from collections.abc import Sequence

Scheme, Status = version_pb.Scheme, event_pb.Status
LATER = 10**9
STAGING, PRODUCTION = event_pb.Environment.preproduction, event_pb.Environment.production


def deployment(
    at: int,
    version: str,
    environment: event_pb.Environment = PRODUCTION,
    status: event_pb.Status = Status.success,
    **attributes: Any,
) -> event_pb.Event:
    given = event_pb.EventAttributes(
        service="shop",
        type=event_pb.Type.deployment,
        version=version,
        environment=environment,
        status=status,
        start_date=timestamp(at),
        end_date=None if status == Status.start else timestamp(at + 5),
        **attributes,
    )
    return event_pb.Event(attributes=given, metadata=event_pb.EventMetadata(id=f"{at}"))


def shown(
    events: Sequence[event_pb.Event], scheme: version_pb.Scheme = Scheme.deployment_order, **given: Any
) -> Any:
    briefs = [read_brief(event_id(event), event.to_json()) for event in events]
    return deployed_versions("shop", briefs, scheme, **{"as_of": LATER, **given})


def test_the_last_deployment_that_ended_well_is_what_runs() -> None:
    events = [
        deployment(10, "1"),
        deployment(20, "2"),
        deployment(30, "2"),
        deployment(40, "3", status=Status.failure),
    ]
    (found,) = shown(events)
    assert (found.version, found.previous_version, found.event_id) == ("2", "1", "30")
    assert found.since == timestamp(25)
    assert (found.later.version, found.later.status) == ("3", Status.failure)
    assert not found.rolled_back


def test_the_end_of_a_deployment_puts_its_version_there_and_a_rollback_without_a_version_none() -> None:
    begun, over = deployment(10, "1", status=Status.start), deployment(20, "", related_id="10")
    (found,) = shown([over, begun])
    assert (found.version, found.since, found.event_id, found.later) == ("1", timestamp(25), "20", None)
    (found,) = shown([over, begun, deployment(30, "2"), deployment(40, "", related_id="30")])
    assert found.version == "2"
    assert shown([begun, deployment(30, "", STAGING, related_id="10")]) == []


def test_a_version_that_came_back_was_rolled_back_to() -> None:
    a, b, again = deployment(10, "1"), deployment(20, "2"), deployment(30, "1")
    (found,) = shown([again, a, b])
    assert (found.version, found.previous_version, found.rolled_back) == ("1", "2", True)
    assert (found.newest_version, found.behind_newest.value) == ("2", 1)
    (older,) = shown([deployment(10, "2.0.0"), deployment(20, "1.9.0")], Scheme.semver)
    assert older.rolled_back


def test_places_are_apart_and_an_environment_is_compared_with_the_one_before() -> None:
    events = [
        *(deployment(at, f"1.{at}.0", STAGING) for at in (10, 20, 30)),
        deployment(40, "1.10.0"),
        deployment(50, "1.20.0", region="eu"),
    ]
    staging, everywhere, europe = shown(events, Scheme.semver)
    assert [each.version for each in (staging, everywhere, europe)] == ["1.30.0", "1.10.0", "1.20.0"]
    assert staging.behind_previous_environment is None
    assert (everywhere.behind_previous_environment.value, europe.behind_previous_environment.value) == (2, 1)
    assert europe.region == "eu"


def test_the_declared_order_says_which_environment_is_before() -> None:
    uat, tnr = event_pb.Environment.UAT, event_pb.Environment.TNR
    order = Promotion((STAGING, tnr, PRODUCTION))
    events = [deployment(10, "1", uat), deployment(20, "1"), deployment(30, "2", STAGING)]
    shown_ = shown(events, promotion=order)
    assert [each.environment for each in shown_] == [uat, STAGING, PRODUCTION]
    assert [each.previous_environment for each in shown_] == [0, 0, STAGING]
    assert shown_[2].behind_previous_environment.value == 1


def test_environments_are_compared_place_by_place() -> None:
    events = [
        deployment(10, "1"),
        deployment(20, "2", region="eu"),
        deployment(30, "2", STAGING),
    ]
    forth, back = (Comparison(environments=pair) for pair in ((STAGING, PRODUCTION), (PRODUCTION, STAGING)))
    (found,) = shown(events, comparison=forth)
    assert (found.version, found.compared_version, found.compared_event_id) == ("2", "1, 2", "")
    (found,) = shown(events, comparison=back)
    assert (found.region, found.version, found.compared_version, found.compared_event_id) == (
        "",
        "1",
        "2",
        "30",
    )
    (missing,) = shown(events[:1], comparison=forth)
    assert (missing.environment, missing.version, missing.compared_version) == (STAGING, "", "1")
    assert shown(events[1:], comparison=forth) == []
    assert len(shown(events[1:], comparison=Comparison(environments=forth.environments, unchanged=True))) == 1


def test_a_moment_past_knows_nothing_of_what_came_later() -> None:
    events = [deployment(10, "1"), deployment(20, "2")]
    assert [each.version for each in shown(events, as_of=22)] == ["1"]
    assert shown(events, as_of=12) == []
    (changed,) = shown(events, as_of=30, comparison=Comparison(16))
    assert (changed.version, changed.compared_version) == ("2", "1")
    assert shown(events, as_of=30, comparison=Comparison(26)) == []
    (gone,) = shown(events, as_of=12, comparison=Comparison(30))
    assert (gone.version, gone.compared_version) == ("", "2")


def test_what_is_under_way_does_not_run_yet() -> None:
    (found,) = shown([deployment(10, "1"), deployment(20, "2", status=Status.start)])
    assert (found.version, found.later.version) == ("1", "2")


@pytest.mark.parametrize(
    ("scheme", "ascending"),
    [
        (Scheme.semver, ["1.0.0-1", "1.0.0-alpha", "v1.0.0", "1.0.1", "1.10.0"]),
        (Scheme.pep440, ["1.0.0a1", "1.0.0", "1.0.0-1", "1.10.0", "1!0.1"]),
        (Scheme.calver, ["2025.12.31", "2026.1.2", "2026.01.10"]),
        (Scheme.deployment_order, ["b", "a", "7"]),
    ],
)
def test_versions_are_ordered_by_their_scheme(scheme: version_pb.Scheme, ascending: list[str]) -> None:
    given = ascending if scheme == Scheme.deployment_order else ascending[::-1]
    places = places_of(given, scheme)
    assert sorted(places, key=places.__getitem__) == ascending


def test_a_version_that_the_scheme_does_not_know_has_no_place() -> None:
    assert places_of(["nightly", "1.0.0", "1.0.0+build"], Scheme.semver) == {"1.0.0": 0, "1.0.0+build": 0}
    (found,) = shown([deployment(10, "1.0.0"), deployment(20, "nightly")], Scheme.semver)
    assert (found.behind_newest, found.newest_version, found.rolled_back) == (None, "1.0.0", False)


def test_services_declare_schemes_by_patterns() -> None:
    schemes = read_schemes(["shop-*=semver", "shop-old=calver"])
    assert [scheme_of(name, schemes) for name in ("shop-old", "api")] == [
        Scheme.semver,
        Scheme.deployment_order,
    ]
    for wrong in ("shop", "=semver", "shop=roman"):
        with pytest.raises(SetupError, match="expected SERVICE=SCHEME"):
            read_schemes([wrong])
