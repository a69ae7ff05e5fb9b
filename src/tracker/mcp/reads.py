"""The tools that change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.mcp.records import Records
from tracker.mcp.tools import Argument, Tool
from tracker.pb import catalog_pb, delivery_pb, deployment_pb, event_pb, incident_pb, lock_pb, version_pb
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from collections.abc import Sized

CHANGELOG = ("changelog", "changelog_total", "changelog_from")
_MANY = Records((*CHANGELOG, "next_page_token", "plan"), longest=500)
"""Of lists: an agent pays for each character."""
_PAGE = Argument("page", "Number of the page, from 1.", most=1_000_000)
_WHEN = "such as 2026-01-31 or 2026-01-31T12:00:00Z"


def _per_page(what: str) -> Argument:
    return Argument("per_page", f"{what} on a page, up to 100.", default=10, most=100)


def _type() -> Argument:
    return Argument("type", "Kind of event.")


def _counted(found: Sized, total: int, what: str) -> str:
    return f"{len(found)} of {total} {what}."


def _verdict(answer: deployment_pb.CheckDeploymentResponse) -> str:
    words = {
        deployment_pb.Verdict.yes: "Yes: it may be deployed.",
        deployment_pb.Verdict.not_yet: "Not yet: it may not be deployed now.",
    }
    return words.get(answer.verdict, "No: it may not be deployed.")


def _cause(answer: incident_pb.ExplainIncidentResponse) -> str:
    shares = f"{answer.change_count} changes were compared; that none of them is the cause has probability"
    return f"Verdict: {wire_name(answer.verdict)}. {shares} {answer.no_recorded_cause:.2f}."


READS = (
    Tool(
        "list_events",
        "List events",
        "List the latest events: deployments, operations, drifts and incidents. To find some by words, dates,"
        " environment or labels, use search_events.",
        event_pb.ListEventsRequest,
        event_pb.ListEventsResponse,
        lambda answer: _counted(answer.events, answer.total_count, "events"),
        (
            _type(),
            Argument("service", "Exact name of the service."),
            Argument("status", "How far things are."),
            _per_page("Events"),
            _PAGE,
        ),
        _MANY,
    ),
    Tool(
        "today_events",
        "List the events of today",
        "List the events of today, the newest first, and those that began earlier and still go on.",
        event_pb.TodayEventsRequest,
        event_pb.TodayEventsResponse,
        lambda answer: _counted(answer.events, answer.total_count, "events today"),
        (
            _per_page("Events"),
            _PAGE,
            Argument("time_zone", "Zone of the day, such as Europe/Paris; by default, the server's."),
        ),
        _MANY,
    ),
    Tool(
        "search_events",
        "Search events",
        "Find the events that match all filters, the newest first. At least one filter is needed. `query` is"
        " a line such as: service:payments status:(failure OR error) env:production -type:drift since:24h"
        ' "timed out" duration:>5m label.team:core',
        event_pb.SearchEventsRequest,
        event_pb.SearchEventsResponse,
        lambda answer: _counted(answer.events, answer.total_count, "events match"),
        (
            Argument(
                "query", "Words and fields, as in the description; since:2h, since:7d, since:yesterday."
            ),
            Argument("source", "Exact name of the system that reported it, such as github_action."),
            _type(),
            Argument("priority", "Importance; P1 is the highest."),
            Argument("status", "How far things are."),
            Argument("service", "Exact name of the service."),
            Argument("start_date", f"First moment, {_WHEN}."),
            Argument("end_date", f"Last moment, {_WHEN}; a date without a time includes that day."),
            Argument("environment", "Where it happened."),
            Argument("impact", "Whether users notice."),
            Argument("slack_id", "Exact id of its Slack message."),
            _per_page("Events"),
            _PAGE,
            Argument("order_by", "time for the oldest first, -time for the newest first."),
        ),
        _MANY,
    ),
    Tool(
        "get_event",
        "Get an event",
        "Get one event with its changelog: who changed what, comments, approvals.",
        event_pb.GetEventRequest,
        event_pb.GetEventResponse,
        lambda _: "The event.",
        (Argument("id", "Id of the event, or its Slack id.", "event_id", required=True),),
        Records(("changelog_from",)),
    ),
    Tool(
        "why",
        "Find the cause of an incident",
        "Rank the changes that may have caused an incident, each with its probability (`share`) and the"
        " reasons for it. The ranking is computed from the time, the service, its dependencies and what"
        " happened before; it is no proof, and says so if no change stands out. Freeze windows that ended"
        " before (`lifted_freeze`) are among them.",
        incident_pb.ExplainIncidentRequest,
        incident_pb.ExplainIncidentResponse,
        _cause,
        (
            Argument("id", "Id of the incident, or its Slack id.", "event_id", required=True),
            Argument("limit", "Changes to return, up to 20.", default=5, most=20),
            Argument("as_of", f"Leave out what happened later, {_WHEN}."),
        ),
        Records(
            (
                *CHANGELOG,
                "weights",
                "feature",
                "value",
                "weight",
                "factor",
                "score",
                "no_recorded_cause_score",
            ),
            longest=500,
        ),
    ),
    Tool(
        "can_deploy",
        "Check whether something may be deployed",
        "Say whether a service may be deployed to an environment now: yes, not yet or no, with every reason"
        " (freeze windows, locks, incidents, deployments under way, missing approvals, the environment"
        " before). Nothing is changed.",
        deployment_pb.CheckDeploymentRequest,
        deployment_pb.CheckDeploymentResponse,
        _verdict,
        (
            Argument("service", "Service to deploy.", required=True),
            Argument("environment", "Where to deploy it, such as production.", required=True),
            Argument("version", "Version to deploy."),
            Argument("event_id", "Id of the event of this deployment, if it is recorded."),
            Argument("at", "Another moment to ask for, such as 2026-01-31T12:00:00Z; by default, now."),
        ),
    ),
    Tool(
        "deployed_versions",
        "List what runs where",
        "List which versions of services run in which environments, since when, and how far they are"
        " behind. With `as_of`, what ran at an earlier time; with `compared_with`, only what differs from"
        " then; with `compared_environment`, only what differs from there.",
        version_pb.GetDeployedVersionsRequest,
        version_pb.GetDeployedVersionsResponse,
        lambda answer: f"{len(answer.versions)} versions{', and more' if answer.next_page_token else ''}.",
        (
            Argument("service", "Exact name of the service; by default, all."),
            Argument("environment", "An environment; by default, all."),
            Argument("as_of", f"An earlier time, {_WHEN}; by default, now."),
            Argument("compared_with", f"Another moment, {_WHEN}."),
            Argument("compared_environment", "Another environment to compare `environment` with."),
            Argument("team", "Owner of the services in the catalog; by default, all."),
            Argument("version", "Pattern of versions, such as 2.*; by default, all."),
            Argument("limit", "Services to return, up to 200.", default=50, most=200),
            Argument("page_token", "`next_page_token` of the result before."),
        ),
    ),
    Tool(
        "delivery_metrics",
        "Measure how well software is delivered",
        "Measure deployment frequency, lead time, change failure rate, time to restore and rework rate over a"
        " period, by the method of Four Keys, DevLake or Datadog. `gaps` and `no_data` say what is missing.",
        delivery_pb.GetDeliveryMetricsRequest,
        delivery_pb.GetDeliveryMetricsResponse,
        lambda answer: f"By the method {wire_name(answer.method)}.",
        (
            Argument("services", "Names or patterns of services, such as shop-*; by default, all."),
            Argument("team", "Owner of the services in the catalog; by default, all."),
            Argument("environments", "Environments; by default, those that the server measures."),
            Argument("start_date", f"First moment, {_WHEN}; by default, three months before the end."),
            Argument("end_date", f"Last moment, {_WHEN}; by default, now."),
            Argument("by", "Measure each service, team or environment too."),
            Argument("interval", "day, week or month, of the numbers over time.", default="month"),
            Argument("method", "Whose definitions to follow; by default, those of the server."),
        ),
        _MANY,
    ),
    Tool(
        "list_catalog",
        "List the catalog",
        "List the entries of the catalog by their names: services, libraries and projects, with owners,"
        " dependencies and versions.",
        catalog_pb.ListCatalogsRequest,
        catalog_pb.ListCatalogsResponse,
        lambda answer: _counted(answer.catalogs, answer.total_count, "entries"),
        (_per_page("Entries"), _PAGE),
        _MANY,
    ),
    Tool(
        "get_catalog_service",
        "Get an entry of the catalog",
        "Get one entry of the catalog: its owner, channels, dependencies in and out, SLA, versions.",
        catalog_pb.GetCatalogRequest,
        catalog_pb.GetCatalogResponse,
        lambda _: "The entry.",
        (Argument("name", "Exact name of the entry.", "service_name", required=True),),
    ),
    Tool(
        "list_locks",
        "List locks",
        "List the locks that are held now, who holds them and why, and who waits for them.",
        lock_pb.ListLocksRequest,
        lock_pb.ListLocksResponse,
        lambda answer: _counted(answer.locks, answer.total_count, "locks"),
        (
            Argument("service", "Exact name of the service."),
            Argument("environment", "Environment, such as production."),
            _per_page("Locks"),
            _PAGE,
        ),
        _MANY,
    ),
    Tool(
        "get_lock",
        "Get a lock",
        "Get one lock, and who waits for it.",
        lock_pb.GetLockRequest,
        lock_pb.GetLockResponse,
        lambda _: "The lock.",
        (Argument("id", "Id of the lock.", "lock_id", required=True),),
    ),
)
