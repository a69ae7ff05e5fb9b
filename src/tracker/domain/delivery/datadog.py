"""The metrics as Datadog documents them: https://docs.datadoghq.com/dora_metrics/calculation/."""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING, Final

from tracker.domain.delivery.commits import between
from tracker.domain.delivery.facts import Facts, Metric, sample
from tracker.domain.delivery.figures import Figure, Level, duration_figure, rework_figure, share_figure
from tracker.domain.delivery.remedies import remedies
from tracker.time_text import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.domain.delivery.calendar import Period
    from tracker.domain.delivery.facts import Records, Sample
    from tracker.domain.delivery.records import Deployment

_LONGEST_PAUSE: Final = 60 * DAY
"""How long before a deployment the one before it may be."""


def facts(records: Records) -> Facts:
    """Return what Datadog counts: deployments, and those that another one fixed."""
    found, period = Facts(), records.period
    found.deployments += map(sample, records.in_period())
    ids = {each.id for each in found.deployments}
    put_right: dict[str, Sample] = {}
    for pair in sorted(remedies(records), key=lambda one: one.remedy.finished):
        took = max(0, pair.remedy.finished - pair.failed.finished)
        put_right.setdefault(pair.failed.id, sample(pair.failed, took, pair.reason, pair.remedy.id))
        if pair.remedy.id in ids:
            found.rework.append(sample(pair.remedy, 1, f"fixes: {pair.failed.title}", pair.failed.id))
    for each in records.in_period():
        remedied = put_right.get(each.id)
        if each.marked is False or (remedied is None and not each.marked):
            continue
        failed = remedied or sample(each, reason="not fixed by a known deployment")
        found.restores.append(failed)
        reason = failed.reason if remedied else "marked as a failure"
        found.failures.append(failed._replace(value=1, reason=reason))
    for series in records.by_service().values():
        found.lead_times += _lead_times(series, records, period)
    return found


def _lead_times(series: Sequence[Deployment], records: Records, period: Period) -> Iterator[Sample]:
    """Yield the mean lead time of the commits of each deployment, those of merges left out."""
    before: Deployment | None = None
    deployed: set[str] = set()
    for each in series:
        if period.has(each.finished):
            again = each.commit in deployed and each.id not in records.given
            yield sample(each, reason="no new commit") if again else _lead_time(before, each, records)
        if each.commit:
            deployed.add(each.commit)
        if each.commit or each.id in records.given:
            before = each


def _lead_time(before: Deployment | None, each: Deployment, records: Records) -> Sample:
    if not each.commit and each.id not in records.given:
        return sample(each, reason="no commit known")
    if before is None:
        return sample(each, reason="no deployment of a commit known before")
    if each.finished - before.finished > _LONGEST_PAUSE:
        return sample(each, reason="more than 60 days since the deployment before")
    commits = between(records, before, each)
    if commits is None:
        return sample(each, reason="the commits since the deployment before not known")
    if not commits.made:
        return sample(each, reason="no new commit")
    mean = fmean(each.finished - at for at in commits.made)
    return sample(each, mean, f"mean of {len(commits.made):,} commits")


def figure(metric: int, found: Facts, period: Period) -> Figure:
    """Return the number of a metric; Datadog documents no bands."""
    number = len(found.deployments)
    match metric:
        case Metric.deployment_frequency:
            if not number:
                return Figure(None, "per day", no_data="no deployment")
            days = (period.until - period.since) / DAY
            return Figure(number / days, "per day", Level(), number, number)
        case Metric.lead_time:
            none = "no deployment whose commits since the one before are known"
            return duration_figure(found.lead_times, median, 1, lambda _: Level(), none, of="deployments")
        case Metric.change_failure_rate:
            return share_figure(len(found.failures), number, lambda _: Level(), "no deployment")
        case Metric.time_to_restore:
            none = "no failed deployment that was fixed"
            return duration_figure(
                found.restores, median, 1, lambda _: Level(), none, of="failed deployments"
            )
    return rework_figure(found)
