"""The metrics as Apache DevLake has them, with the benchmarks of 2023: https://github.com/apache/devlake.

That is its plugin `dora` and its dashboard `DORA.json`, as of 2026.
"""

from __future__ import annotations

from statistics import median_low
from typing import TYPE_CHECKING, Final

from tracker.domain.delivery.calendar import days_per_month, days_per_week
from tracker.domain.delivery.commits import shas_between
from tracker.domain.delivery.facts import Facts, Metric, Sample, Ties, sample
from tracker.domain.delivery.figures import (
    Band,
    Figure,
    Level,
    duration_figure,
    first_below,
    first_within,
    rework_figure,
    share_figure,
)
from tracker.domain.delivery.remedies import remedies
from tracker.time_text import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.domain.delivery.calendar import Period
    from tracker.domain.delivery.facts import Records
    from tracker.domain.delivery.records import Deployment, Merge

_LEAD: Final = (
    (DAY // MINUTE, Level("Less than one day", Band.elite)),
    (7 * DAY // MINUTE, Level("Between one day and one week", Band.high)),
    (30 * DAY // MINUTE, Level("Between one week and one month", Band.medium)),
)
_RECOVERY: Final = (
    (60, Level("Less than one hour", Band.elite)),
    (DAY // MINUTE, Level("Less than one day", Band.high)),
    (7 * DAY // MINUTE, Level("Between one day and one week", Band.medium)),
)
_FAILURES: Final = (
    (0.05, Level("0-5%", Band.elite)),
    (0.10, Level("5%-10%", Band.high)),
    (0.15, Level("10%-15%", Band.medium)),
)
_ON_DEMAND: Final = 5
"""Days of a week with a deployment from which on it is on demand."""


def facts(records: Records) -> Facts:
    """Return what DevLake counts: deployments, merged pull requests, and incidents by deployment."""
    found, ties = Facts(), Ties(records)
    found.deployments += map(sample, records.in_period())
    ids = {each.id for each in found.deployments}
    failed: dict[str, Sample] = {}
    for incident in records.incidents:
        causes, how = ties.all(incident)
        for cause in causes:
            if cause.id not in ids:
                continue
            failed.setdefault(cause.id, sample(cause, 1, how, incident.id))
            ended = incident.ended
            if ended is None:
                value, reason = None, "not over"
            elif records.period.has(ended):
                value, reason = _minutes(ended - cause.finished), how
            else:
                continue
            found.restores.append(
                Sample(incident.id, cause.place, incident.began, incident.title, value, reason, cause.id)
            )
    found.failures += failed.values()
    found.lead_times += _lead_times(records)
    found.rework += (
        sample(each.remedy, 1, f"fixes: {each.failed.title}", each.failed.id)
        for each in remedies(records)
        if each.remedy.id in ids
    )
    return found


def _minutes(span: int) -> int:
    """Return a duration cut to whole minutes, towards zero as MySQL's TIMESTAMPDIFF does."""
    return (abs(span) // MINUTE) * MINUTE * (1 if span >= 0 else -1)


def _lead_times(records: Records) -> Iterator[Sample]:
    """Yield the pull requests that deployments of the period deployed first."""
    by_commit: dict[str, list[Merge]] = {}
    for merge in records.merges:
        by_commit.setdefault(merge.commit, []).append(merge)
    done: set[str] = set()
    for series in records.by_service().values() if by_commit else ():
        for number, each in enumerate(series):
            if not number or not each.commit:
                continue
            before = next((one for one in reversed(series[max(0, number - 50) : number]) if one.commit), None)
            for commit in shas_between(records, before, each) if before is not None else ():
                for merge in by_commit.get(commit, ()):
                    if merge.id not in done:
                        done.add(merge.id)
                        if records.period.has(each.finished):
                            yield _lead_time(records, merge, each)


def _lead_time(records: Records, merge: Merge, each: Deployment) -> Sample:
    """Return the time from the first commit of a pull request to its deployment, as the sum of its stages."""
    push = records.pushes.get(merge.commit)
    commits = [] if push is None else [*push.made, *push.merged]
    stages = [_ceiled(merge.created, merge.merged), _ceiled(merge.merged, each.finished)]
    if commits:
        stages.append(_ceiled(min(commits), merge.created))
    reason = f"merged, and deployed by {each.title}"
    return Sample(merge.id, each.place, each.finished, merge.title, sum(stages), reason, each.id)


def _ceiled(begin: int, end: int) -> int:
    """Return a stage in whole minutes, rounded up; 0 for one that would end before it begins."""
    minutes = -((begin - end) // MINUTE)
    return max(0, minutes) * MINUTE


def frequency(samples: Sequence[Sample], period: Period) -> Figure:
    """Return on how many days of a week or month there is a deployment, by the lower median."""
    days, deployed = period.days_back, {period.day(each.at) for each in samples}
    if not days:
        return Figure(None, "days per week", no_data="the period is shorter than a day")
    if not samples:  # N/A there: of half-years that are alike, the query takes none
        return Figure(None, "days per week", no_data="no deployment")
    per_week = median_low(days_per_week(days, deployed).values())
    per_month = median_low(days_per_month(days, deployed).values())
    counted = len(samples)
    if per_week >= _ON_DEMAND:
        return Figure(per_week, "days per week", Level("On-demand", Band.elite), counted, counted)
    if per_week >= 1:
        words = "Between once per day and once per week"
        return Figure(per_week, "days per week", Level(words, Band.high), counted, counted)
    level = Level("Between once per week and once per month", Band.medium)
    if per_month < 1:
        level = Level("Fewer than once per month", Band.low)
    return Figure(per_month, "days per month", level, counted, counted)


def figure(metric: int, found: Facts, period: Period, *, incidents_known: bool = True) -> Figure:
    """Return the number of a metric."""
    match metric:
        case Metric.deployment_frequency:
            return frequency(found.deployments, period)
        case Metric.lead_time:
            return duration_figure(
                found.lead_times,
                median_low,
                MINUTE,
                lambda minutes: first_below(minutes, _LEAD, Level("More than one month", Band.low)),
                "no deployment of a merged pull request that is known",
                of="pull requests",
            )
        case Metric.change_failure_rate if not incidents_known:
            return Figure(
                None, "share", among=len(found.deployments), no_data="no incident was ever recorded"
            )
        case Metric.change_failure_rate:
            level = Level("> 15%", Band.low)
            return share_figure(
                len(found.failures),
                len(found.deployments),
                lambda share: first_within(share, _FAILURES, level),
                "no deployment",
            )
        case Metric.time_to_restore:
            return duration_figure(
                found.restores,
                median_low,
                MINUTE,
                lambda minutes: first_below(minutes, _RECOVERY, Level("More than one week", Band.low)),
                "no incident of a deployment that is over",
                of="incidents",
            )
    return rework_figure(found)
