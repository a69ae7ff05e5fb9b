"""The metrics as Four Keys has them: https://github.com/dora-team/fourkeys, as of January 2024.

That is METRICS.md and the views in `queries/`.
"""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Final

from tracker.domain.delivery.calendar import days_per_week
from tracker.domain.delivery.commits import pushed
from tracker.domain.delivery.facts import Facts, Metric, Sample, Ties, sample
from tracker.domain.delivery.figures import (
    Figure,
    Level,
    duration_figure,
    first_below,
    rework_figure,
    share_figure,
)
from tracker.domain.delivery.remedies import remedies
from tracker.number_text import number_of
from tracker.time_text import HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.delivery.calendar import Period
    from tracker.domain.delivery.facts import Records
    from tracker.domain.delivery.records import Incident

_DURATIONS: Final = (
    (24, Level("One day")),
    (168, Level("One week")),
    (730, Level("One month")),
    (730 * 6, Level("Six months")),
)
_LONGEST: Final = Level("One year")
_DAILY: Final = 3
"""Days of a week with a deployment that are daily deployment."""
_NO_COMMITS: Final = "no commits known"
_NONE_COUNTS: Final = "no deployment whose commits are known"


def facts(records: Records) -> Facts:
    """Return what Four Keys counts: deployments whose commits are known, and incidents by root cause."""
    found, period = Facts(), records.period
    ties = Ties(records)
    by_commit: dict[str, list[Incident]] = {}
    for incident in records.incidents:
        for commit in set(incident.commits):
            by_commit.setdefault(commit, []).append(incident)
    caused: dict[str, list[Incident]] = {}
    for incident in records.incidents:
        for cause in ties.recorded(incident):
            caused.setdefault(cause.id, []).append(incident)
    deployed: set[str] = set()
    for each in records.in_period():
        made = pushed(records, each)
        if not made:
            found.left_out.append(sample(each, reason=_NO_COMMITS))
            continue
        found.deployments.append(sample(each))
        deployed.add(each.id)
        spans = ((each.finished - at) // MINUTE * MINUTE for at in made)
        found.lead_times += (
            sample(each, span, "from a commit to the deployment") for span in spans if span > 0
        )
        push = records.pushes.get(each.commit)
        changes = {each.commit, *(() if push is None else push.named)}
        linked = caused.get(each.id, [])
        named = [one for change in changes for one in by_commit.get(change, ()) if one not in linked]
        if because := [*linked, *named]:
            reason = f"the root cause of {number_of(len(because), 'incident')}"
            found.failures.append(sample(each, len(because), reason, because[0].id))
    found.restores += _restores(records, ties, period)
    found.rework += (
        sample(each.remedy, 1, f"fixes: {each.failed.title}", each.failed.id)
        for each in remedies(records)
        if each.remedy.id in deployed
    )
    return found


def _restores(records: Records, ties: Ties, period: Period) -> Sequence[Sample]:
    """Return the incidents of the period, from the deployment of their root cause if that was earlier."""
    wanted = {commit for each in records.incidents for commit in each.commits}
    first: dict[str, int] = {}
    for each in records.deployments if wanted else ():
        push = records.pushes.get(each.commit)
        for commit in {each.commit, *(() if push is None else push.named)} & wanted:
            first.setdefault(commit, each.finished)
    samples = []
    for incident in records.incidents:
        roots = [cause.finished for cause in ties.recorded(incident)]
        roots += (first[commit] for commit in incident.commits if commit in first)
        began = min([incident.began, *roots])
        if period.has(began):
            value = None if incident.ended is None else max(0, incident.ended - began)
            reason = "not over" if value is None else "from its beginning, or the deployment of its cause"
            cause = next((each.id for each in ties.recorded(incident)), "")
            samples.append(Sample(incident.id, incident.place, began, incident.title, value, reason, cause))
    return samples


def frequency(samples: Sequence[Sample], period: Period) -> Figure:
    """Return on how many days of a week there is a deployment, by the median; weeks begin on Sundays."""
    weeks = days_per_week(period.whole_days, {period.day(each.at) for each in samples}, sunday=True)
    if not weeks:
        return Figure(None, "days per week", no_data="the period has no whole day after the first event")
    if not samples:
        return Figure(None, "days per week", no_data="no deployment whose commits are known")
    middle = median(weeks.values())
    with_deployment = {week: min(1, days) for week, days in weeks.items()}
    months: Counter[tuple[int, int]] = Counter()
    for week, has in with_deployment.items():
        months[week.year, week.month] += has
    if middle >= _DAILY:
        words = "Daily"
    elif median(with_deployment.values()) >= 1:
        words = "Weekly"
    elif median(months[week.year, week.month] for week in weeks) >= 1:
        words = "Monthly"
    else:
        words = "Yearly"
    return Figure(middle, "days per week", Level(words), len(samples), len(samples))


def _failure_level(share: float) -> Level:
    if share <= 0.15:  # noqa: PLR2004 - the class of Four Keys
        return Level("0-15%")
    return Level("16-45%" if share < 0.46 else "46-60%")  # noqa: PLR2004 - the same


def figure(metric: int, found: Facts, period: Period) -> Figure:
    """Return the number of a metric."""
    match metric:
        case Metric.deployment_frequency if found.left_out and not found.deployments:
            return Figure(None, "days per week", no_data=_NONE_COUNTS)
        case Metric.deployment_frequency:
            return frequency(found.deployments, period)
        case Metric.lead_time:
            return duration_figure(
                found.lead_times,
                median,
                MINUTE,
                lambda minutes: first_below(minutes / 60, _DURATIONS, _LONGEST),
                "no deployment of a change whose commits are known",
                of="changes",
            )
        case Metric.change_failure_rate:
            number = sum(each.value or 0 for each in found.failures)
            return share_figure(number, len(found.deployments), _failure_level, _NONE_COUNTS)
        case Metric.time_to_restore:
            return duration_figure(
                found.restores,
                median,
                HOUR,
                lambda hours: first_below(hours, _DURATIONS, _LONGEST),
                "no incident that is over",
                of="incidents",
            )
    return rework_figure(found)
