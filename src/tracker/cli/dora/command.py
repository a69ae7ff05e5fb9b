"""`tracker dora`: how well software is delivered."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tracker.cli import completing
from tracker.cli.local_time import local_zone
from tracker.cli.options import ListApi, names_of, value_of, word_of
from tracker.cli.printing import Output, say
from tracker.cli.time_options import end_option, moment_option

if TYPE_CHECKING:
    from tracker.cli.calls import Api
    from tracker.cli.dora.git import Repository
    from tracker.pb import delivery_pb
    from tracker.transcoding.json_text import JsonValue

_METHODS: Final = ("four_keys", "devlake", "datadog")
_METRICS: Final = (
    *("deployment_frequency", "lead_time", "change_failure_rate", "time_to_restore", "rework_rate"),
)
_BY: Final = ("service", "team", "environment")
_PAGE: Final = 1_000


def dora(
    *,
    method: Annotated[
        str,
        typer.Option(
            parser=word_of("", *_METHODS),
            metavar="NAME",
            autocompletion=lambda: list(_METHODS),
            help="Whose definitions: four_keys, devlake or datadog.  [default: that of the server]",
        ),
    ] = "",
    service: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            autocompletion=completing.values_of("service"),
            help="Services whose names match, such as `shop-*`.",
        ),
    ] = None,
    team: Annotated[str, typer.Option(metavar="NAME", help="Services that the catalog says it owns.")] = "",
    environment: Annotated[
        list[str] | None,
        typer.Option(
            parser=value_of("event_pb.Environment"),
            metavar="NAME",
            autocompletion=names_of("event_pb.Environment"),
            help="Environments that count.  [default: those of the server]",
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            parser=word_of("", *_BY),
            metavar="FIELD",
            autocompletion=lambda: list(_BY),
            help="Group by service, team or environment.",
        ),
    ] = "",
    since: Annotated[
        datetime | None,
        moment_option("Start of the period.  [default: three months ago]"),
    ] = None,
    until: Annotated[datetime | None, end_option("End of the period.  [default: now]")] = None,
    events: Annotated[
        str,
        typer.Option(
            parser=word_of("", *_METRICS),
            metavar="METRIC",
            autocompletion=lambda: list(_METRICS),
            help="List the events behind a metric instead.",
        ),
    ] = "",
    group: Annotated[str, typer.Option(metavar="NAME", help="With --events, those of a group alone.")] = "",
    commits_from_git: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Read the commits between deployments from a Git repository on this machine.",
        ),
    ] = None,
    api: ListApi,
) -> None:
    """Measure delivery: deployment frequency, lead time, change failure rate, time to restore, rework rate.

    The method says what counts; docs/answers.md explains each so that it can be followed by hand.

    Example: tracker dora --method datadog --by team --since 30d
    """
    from tracker.cli.dora.shown import COLUMNS, event_table, rows, show
    from tracker.client.rpcs import GET_DELIVERY_METRICS

    if group and not events:
        raise typer.BadParameter("needs --events", param_hint="--group")
    asked: dict[str, JsonValue] = {
        "method": method or 0,
        "services": [*(service or ())],
        "team": team,
        "environments": [*(environment or ())],
        "by": by or 0,
        "start_date": "" if since is None else since.isoformat(timespec="seconds"),
        "end_date": "" if until is None else until.isoformat(timespec="seconds"),
        "time_zone": local_zone().key,
    }
    if commits_from_git is not None:
        from tracker.cli.dora.git import Repository

        asked["commits"] = _commits(api, asked, Repository(commits_from_git))
    if not events:
        answer = api.call(GET_DELIVERY_METRICS, GET_DELIVERY_METRICS.of(asked))
        groups = [each for each in (answer.total, *answer.groups) if each is not None]
        api.show(answer, lambda: show(answer), records=groups, columns=COLUMNS, rows=rows(answer))
        return
    answer, found = _events(api, {**asked, "events_of": events, "group": group})
    if api.output in {Output.JSON, Output.YAML}:
        answer.events = found
    api.show_list(answer, found, event_table(events), "no events")


def _events(
    api: Api, asked: dict[str, JsonValue]
) -> tuple[delivery_pb.GetDeliveryMetricsResponse, list[delivery_pb.DeliveryEvent]]:
    """Return the last answer for the events of a metric, and all of these."""
    from tracker.client.rpcs import GET_DELIVERY_METRICS

    found: list[delivery_pb.DeliveryEvent] = []
    token = ""
    while True:
        page: dict[str, JsonValue] = {**asked, "limit": _PAGE, "page_token": token}
        answer = api.call(GET_DELIVERY_METRICS, GET_DELIVERY_METRICS.of(page))
        found += answer.events
        token = answer.next_page_token
        if not token:
            return answer, found


def _commits(api: Api, asked: dict[str, JsonValue], repository: Repository) -> list[JsonValue]:
    """Return the commits of the deployments that a repository has, and say of how many it has none."""
    method = {"method": "datadog", "events_of": "deployment_frequency"}
    _, deployments = _events(api, {**asked, **method})
    named = [each for each in deployments if each.commit and each.previous_commit]
    found: list[JsonValue] = []
    for number, each in enumerate(named, 1):
        of = repository.between(each.previous_commit, each.commit)
        if of is not None:
            found.append({"event_id": each.id, "committed_at": [*of.made], "merged_at": [*of.merged]})
        if not number % 500:
            say(f"{number:,} of {len(named):,} deployments read from Git")
    say(f"Git has the commits of {len(found):,} of {len(deployments):,} deployments")
    return found
