"""The metrics of one history by each method, as they are worked out by hand from its published rules.

The history, in UTC; 2026-06-01 is a Monday. Commits are named by a letter, versions are those letters.

| day | time | what |
|---|---|---|
| 1 June | 10:00 | `a` is deployed, the first one |
| 3 June | 12:00 | `c` is deployed; a push brought `b` (2 June 12:00) and `c` (3 June 10:00), and a merge |
| 3 June | 13:00-15:30 | an incident that names no cause |
| 4 June | 09:00 | `d` is deployed; a push brought `d` (4 June 06:59:30) |
| 4 June | 10:00 | `c` is deployed again: a rollback |
| 9 June | 08:00 | `e` is deployed; nobody knows its commits |
| 9 June | 08:30 | an incident that `d` caused, as people said; open |
| 10 June | 20:00-21:10 | an incident that names no cause |
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from tracker.domain.commits import Commit
from tracker.domain.delivery.calendar import Period, months_before
from tracker.domain.delivery.facts import METRICS, Records, push_of
from tracker.domain.delivery.methods import measured
from tracker.domain.delivery.records import (
    Deployment,
    Incident,
    Merge,
    Place,
    deployment_of,
    incidents_of,
    told_by,
)
from tracker.domain.delivery.remedies import remedies
from tracker.domain.times import timestamp
from tracker.pb import delivery_pb, event_pb
from tracker.stores.documents import read_brief
from tracker.time_text import micros_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.delivery.figures import Figure

Band, Method, Metric = delivery_pb.Band, delivery_pb.Method, delivery_pb.Metric
UTC_ZONE = ZoneInfo("UTC")
HERE = Place("shop", "core", 7)
HOUR = 3600


def at(day: int, clock: str = "00:00", month: int = 6) -> int:
    return micros_of(datetime.fromisoformat(f"2026-{month:02}-{day:02}T{clock}Z"))


def deployed(name: str, finished: int, commit: str, **more: object) -> Deployment:
    given = {"ended_well": True, "title": f"Deploy {name}", "version": commit, **more}
    return Deployment(name, HERE, finished=finished, commit=commit, **given)  # type: ignore[arg-type]  # by name


def commit(sha: str, made: int, head: str, base: str, merge: int = 0) -> Commit:
    return Commit("shop/shop", sha, made, "shop", head, base, merge)


DEPLOYMENTS = (
    deployed("first", at(1, "10:00"), "a"),
    deployed("second", at(3, "12:00"), "c"),
    deployed("third", at(4, "09:00"), "d"),
    deployed("back", at(4, "10:00"), "c"),
    deployed("fourth", at(9, "08:00"), "e"),
)
INCIDENTS = (
    Incident("slow", HERE, at(3, "13:00"), at(3, "15:30"), "slow"),
    Incident("open", HERE, at(9, "08:30"), None, "open", caused_by=("third",)),
    Incident("short", HERE, at(10, "20:00"), at(10, "21:10"), "short"),
)
PUSHES = {
    "c": [
        commit("b", at(2, "12:00"), "c", "a"),
        commit("c", at(3, "10:00"), "c", "a"),
        commit("m", at(3, "11:00"), "c", "a", merge=1),
    ],
    "d": [commit("d", at(4, "06:59:30"), "d", "c")],
}
NAMED = {sha: push_of(commits, ("b", "c", "d", "m"), {}) for sha, commits in PUSHES.items()}
PERIOD = Period(at(1), at(15), UTC_ZONE, first_event=at(31, month=5))


def figures(method: delivery_pb.Method, records: Records | None = None) -> dict[delivery_pb.Metric, Figure]:
    records = records or Records(PERIOD, DEPLOYMENTS, INCIDENTS, pushes=NAMED)
    return dict(zip(METRICS, measured(method, records).figures(), strict=True))


def shown(figure: Figure) -> tuple[object, ...]:
    value = None if figure.value is None else round(figure.value, 9)
    return value, figure.level.words, figure.counted, figure.among


def test_four_keys() -> None:
    found = figures(Method.four_keys)
    # Weeks from Sunday: 31 May has 3 and 4 June, 7 June none (the commits of `first` and `fourth` are not
    # known), 14 June none. The median of 2, 0, 0 is 0, and so is that of weeks with a deployment. Of those
    # that begin in June none has one, in May one: 1, 0, 0.
    assert shown(found[Metric.deployment_frequency]) == (0, "Yearly", 3, 3)
    # Whole minutes: second 1440, 120 and 60; third 120 of 2:00:30; back 2760, 1440 and 1380.
    # In order 60, 120, 120, 1380, 1440, 1440, 2760.
    assert shown(found[Metric.lead_time]) == (1380 * 60, "One day", 7, 7)
    # One incident has a root cause, `third`; three deployments count.
    assert shown(found[Metric.change_failure_rate]) == (round(1 / 3, 9), "16-45%", 1, 3)
    # Whole hours: slow 2, short 1; open has none. The median of two is the mean.
    assert shown(found[Metric.time_to_restore]) == (1.5 * HOUR, "One day", 2, 3)
    assert found[Metric.time_to_restore].gaps == ["not over for 1 of 3 incidents"]
    assert shown(found[Metric.rework_rate]) == (round(1 / 3, 9), "", 1, 3)


def test_devlake() -> None:
    merged = Merge("pr", HERE, "c", at(2, "18:00"), at(3, "11:00:10"), "Merge #1")
    found = figures(Method.devlake, Records(PERIOD, DEPLOYMENTS, INCIDENTS, (merged,), NAMED))
    # Weeks from Monday: 1 June has 1, 3 and 4 June, 8 June has 9 June: days 3 and 1. The lower median is 1.
    assert shown(found[Metric.deployment_frequency]) == (1, "Between once per day and once per week", 5, 5)
    assert found[Metric.deployment_frequency].level.band == Band.high
    # First commit 2 June 12:00 to 18:00 is 360 min; to the merge 17:00:10, so 1021; to the end 59:50, so 60.
    assert shown(found[Metric.lead_time]) == ((360 + 1021 + 60) * 60, "Between one day and one week", 1, 1)
    # slow belongs to second, open to third, short to fourth: three of five.
    assert shown(found[Metric.change_failure_rate]) == (0.6, "> 15%", 3, 5)
    # From the end of the deployment: slow 3:30, short 37:10. The lower median is 3:30.
    assert shown(found[Metric.time_to_restore]) == (3.5 * HOUR, "Less than one day", 2, 3)


def test_datadog() -> None:
    found = figures(Method.datadog)
    assert found[Metric.deployment_frequency].value == pytest.approx(5 / 14)
    # second: b 24:00 and c 2:00, without the merge: mean 13:00. third: d 2:00:30. back brings nothing new,
    # first has none before it, and the commits of fourth are not known.
    assert shown(found[Metric.lead_time]) == ((13 * HOUR + 2 * HOUR + 30) / 2, "", 2, 5)
    assert sorted(found[Metric.lead_time].gaps) == [
        "no deployment of a commit known before for 1 of 5 deployments",
        "no new commit for 1 of 5 deployments",
        "the commits since the deployment before not known for 1 of 5 deployments",
    ]
    # a, c, d, c: the first deployment after the target of the rollback is third; fixed after an hour.
    assert shown(found[Metric.change_failure_rate]) == (0.2, "", 1, 5)
    assert shown(found[Metric.time_to_restore]) == (HOUR, "", 1, 1)
    assert shown(found[Metric.rework_rate]) == (0.2, "", 1, 5)


@pytest.mark.parametrize("method", [Method.four_keys, Method.devlake, Method.datadog])
def test_nothing_is_no_data_and_no_zero(method: delivery_pb.Method) -> None:
    found = figures(method, Records(PERIOD, (), incidents_known=False))
    for metric in METRICS:
        assert found[metric].value is None
        assert found[metric].no_data


def weekly(*days: int) -> Records:
    return Records(PERIOD, [deployed(f"{day}", at(day, "12:00"), f"{day}") for day in days], given={})


@pytest.mark.parametrize(
    ("days", "four_keys", "devlake"),
    [
        (range(1, 15), "Daily", "On-demand"),
        ((1, 2, 3, 8, 9, 10), "Daily", "Between once per day and once per week"),
        ((1, 9), "Weekly", "Between once per day and once per week"),
        ((9,), "Monthly", "Between once per week and once per month"),
    ],
)
def test_frequency_counts_days_of_weeks(days: Sequence[int], four_keys: str, devlake: str) -> None:
    records = weekly(*days)
    known = {f"{day}": commit(f"{day}", at(day), "", "") for day in days}
    with_commits = Records(PERIOD, records.deployments, known=known)
    assert figures(Method.four_keys, with_commits)[METRICS[0]].level.words == four_keys
    assert figures(Method.devlake, records)[METRICS[0]].level.words == devlake


@pytest.mark.parametrize(
    ("series", "failed"),
    [
        (("1", "2", "3", "1"), ["n1"]),
        (("1", "1", "2", "1"), ["n2"]),
        (("1", "1"), []),
        (("1", "2", "1", "3", "1"), ["n1", "n3"]),
    ],
)
def test_a_rollback_says_that_the_first_deployment_after_its_target_failed(
    series: Sequence[str], failed: list[str]
) -> None:
    made = [deployed(f"n{place}", at(1 + place), build) for place, build in enumerate(series)]
    assert [each.failed.id for each in remedies(Records(PERIOD, made))] == failed


def event(title: str, kind: str, status: str, start: int, **more: object) -> event_pb.Event:
    attributes = event_pb.EventAttributes(
        type=event_pb.Type[kind],
        status=event_pb.Status[status],
        service="incident-desk",
        start_date=timestamp(start),
        **more,  # type: ignore[arg-type]  # by name
    )
    return event_pb.Event(title=title, attributes=attributes, metadata=event_pb.EventMetadata(id=title))


def test_the_name_of_a_service_makes_no_hotfix() -> None:
    for title, hotfix in (("Deploy incident-desk 1.2", False), ("Hotfix of incident-desk", True)):
        told = event(title, "deployment", "success", at(1)).to_json()
        found = deployment_of(read_brief("1", told), HERE._replace(service="incident-desk"))
        assert found is not None
        assert found.hotfix is hotfix


def test_an_event_that_ends_an_incident_is_its_end() -> None:
    opened = event("down", "incident", "open", at(1, "10:00"))
    closed = event("up", "incident", "close", at(1, "12:00"), related_id="down")
    (found,) = incidents_of([told_by(each, HERE) for each in (opened, closed)])
    assert (found.began, found.ended) == (at(1, "10:00"), at(1, "12:00"))


def test_months_before_end_with_the_month() -> None:
    assert months_before(at(31, "12:00", month=5), 3, UTC_ZONE) == at(28, month=2)
