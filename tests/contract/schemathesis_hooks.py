"""What no schema can say of a valid request, for `schemathesis run`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import schemathesis

if TYPE_CHECKING:
    from typing import TypeAlias

    Case: TypeAlias = schemathesis.Case[Any]

_BUILT_IN = f"{1:024}"

FILTERS = (
    "source",
    "type",
    "priority",
    "status",
    "service",
    "startDate",
    "endDate",
    "environment",
    "impact",
    "slackId",
)


def _end_a_watch(case: Case) -> None:
    """Give a watch a deadline: it lasts until then."""
    if case.operation.path.endswith("/events/watch"):
        case.headers["Grpc-Timeout"] = "300m"


def _use_a_new_key(case: Case) -> None:
    """Give a call an idempotency key of its own: each is for one request only."""
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: Case) -> Case:
    """Make a request that its schema allows one that makes sense."""
    _end_a_watch(case)
    if case.meta is not None and not case.meta.generation.mode.is_positive:
        return case
    _use_a_new_key(case)
    query = dict(case.query) if isinstance(case.query, dict) else {}
    # A token is good for the list or the watch that gave it; nobody can make one up.
    query.pop("pageToken", None)
    query.pop("resumeToken", None)
    # A query has a grammar; tests/domain/query/ has the texts that are none.
    if "query" in query:
        query["query"] = "-service:payments OR has:service"
    # A period ends after it begins.
    if {"startDate", "endDate"} <= set(query):
        query |= {"startDate": "1970-01-01", "endDate": "9999-12-31"}
    # A search needs a filter.
    if case.operation.path.endswith("/events/search") and not any(map(_filters, map(query.get, FILTERS))):
        query["service"] = "payments"
    _use_known_words(case.operation.path, query)
    # A lock that has no lease gets one by a renewal with a ttl.
    if case.operation.path.endswith("/renew"):
        body = case.body if isinstance(case.body, dict) else {}
        case.body = {**body, "ttl": body.get("ttl") or "60s"}
    for said in (query, case.body):
        if isinstance(said, dict):
            _make_sense_of_lock(said)
            _make_sense_of_api_key(said)
            _make_sense_of_event(said)
    _make_sense_of_people(case)
    _make_sense_of_webhook(case)
    _make_sense_of_freeze(case)
    _make_sense_of_intake(case, query)
    _make_sense_of_retention(case)
    _make_sense_of_delivery(case, query)
    if case.operation.path.endswith("/freeze-windows/occurrences"):
        query.pop("since", None)
        query.pop("until", None)
    case.query = query
    return case


def _use_known_words(path: str, query: dict[str, Any]) -> None:
    # Names of fields, of intervals and of time zones are lists of words that people type, with aliases.
    if "timeZone" in query:
        query["timeZone"] = "Asia/Kathmandu"
    # Environments are compared at one moment, with each other.
    if path.endswith("/api/v1alpha1/versions"):
        query.pop("comparedEnvironment", None)
    if path.endswith("/events/facets"):
        query["fields"] = ["status", "label.team"]
    if path.endswith("/events/overlaps"):
        query["by"] = ["status", "label.team"]
    if path.endswith("/events/histogram"):
        query |= {"startDate": "2026-01-01", "endDate": "2026-12-31", "interval": "month"}
        query |= {"timeZone": "Asia/Kathmandu", "by": "status"}


def _make_sense_of_lock(said: dict[str, Any]) -> None:
    # Whoever waits for a lock that nobody releases waits in vain.
    said.pop("wait", None)
    # A lock is released by force for a reason; this, too, is about two fields at once.
    if said.get("force") in (True, "true"):
        said["reason"] = "stuck"
    # Swagger 2.0 has no words for the keys of a map.
    if isinstance(labels := said.get("labels"), dict):
        labels.pop("", None)


def _make_sense_of_api_key(said: dict[str, Any]) -> None:
    # A key expires in the future, belongs to no team, and its permissions are words.
    said.pop("expiresAt", None)
    said.pop("teamId", None)
    if "permissions" in said:
        said["permissions"] = ["event:read"]


def _make_sense_of_people(case: Case) -> None:
    # Names and passwords have a form, and the names are nobody else's.
    if "/auth/users" not in case.operation.path and "/auth/teams" not in case.operation.path:
        return
    # The built-in team can't be deleted.
    if case.path_parameters and case.path_parameters["id"] == _BUILT_IN:
        case.path_parameters["id"] = "0" * 24
    if isinstance(case.body, dict):
        name = f"n{uuid.uuid4().hex}"
        case.body |= {"username": name, "name": name, "password": "correct horse"}
        case.body.pop("newPassword", None)
        case.body.pop("teamIds", None)


def _make_sense_of_freeze(case: Case) -> None:
    # What repeats does so by a rule of iCalendar, in a time zone that is known, and ends after it begins.
    if "/freeze-window" in case.operation.path and isinstance(case.body, dict):
        for name in ("rrule", "duration", "timezone", "exceptions", "scopeType", "scopeIds"):
            case.body.pop(name, None)
        case.body |= {"startsAt": "2026-12-20T00:00:00Z", "endsAt": "2027-01-02T00:00:00Z"}
        case.body["type"] = "FREEZE_TYPE_HARD"


def _make_sense_of_retention(case: Case) -> None:
    # A policy has a query and an age; there is a folder to export to only where one is set.
    if "/retention/" in case.operation.path and isinstance(case.body, dict):
        case.body.pop("export", None)
        case.body.pop("pageToken", None)
        if "query" in case.body:
            case.body["query"] = "service:payments"
        # What is held can't be deleted by the calls that are tried later.
        if case.operation.path.endswith("/holds"):
            case.body["query"] = "service:nobody-has-this-one"
        if case.operation.path.endswith(("/policies", "/policies/{id}", "/preview")):
            case.body["keepFor"] = "86400s"


def _make_sense_of_delivery(case: Case, query: dict[str, Any]) -> None:
    # A period has few intervals of a known length; a token is good for the list that gave it.
    if case.operation.path.endswith("/delivery/metrics"):
        said = case.body if isinstance(case.body, dict) else query
        said |= {"startDate": "2026-01-01", "endDate": "2026-12-31", "interval": "month"}
        said["timeZone"] = "Asia/Kathmandu"
        said.pop("pageToken", None)


def _make_sense_of_intake(case: Case, query: dict[str, Any]) -> None:
    # A sender is one of a list, with paths of its own.
    if isinstance(case.body, dict) and case.operation.path.endswith("/intakes/test"):
        case.body |= {"sender": "github"}
        case.body.pop("path", None)
    # A state of Terraform is that of a service in an environment, with versions from 1 on.
    if "/terraform/" in case.operation.path:
        for said in (query, case.body):
            if isinstance(said, dict):
                said |= {"service": "network", "environment": "production"}
        if isinstance(case.body, dict):
            case.body["number"] = 1


def _make_sense_of_webhook(case: Case) -> None:
    # A webhook sends to an address that it may reach, what a query finds.
    if "/webhooks" in case.operation.path and isinstance(case.body, dict):
        if "url" in case.body:
            case.body["url"] = "http://127.0.0.1:9/"
        if "query" in case.body:
            case.body["query"] = "service:payments"
        # How people are told stands on one another; a format of theirs needs an address of its own form.
        for name in ("format", "notification", "token"):
            case.body.pop(name, None)
        for name in ("since", "until"):
            case.body.pop(name, None)


def _make_sense_of_event(said: dict[str, Any]) -> None:
    for event in said.get("events") or ():
        _make_sense_of_event(event)
    attributes = said.get("attributes")
    if not isinstance(attributes, dict):
        return
    # An event ends after it starts.
    if attributes.get("startDate"):
        attributes.pop("endDate", None)
    # An external id is one of a source.
    if not attributes.get("source"):
        attributes.pop("externalId", None)
    if isinstance(labels := attributes.get("labels"), dict):
        attributes["labels"] = {f"label{number}": value for number, value in enumerate(labels.values())}


def _filters(value: object) -> bool:
    return str(value) not in ("None", "", "0") and not str(value).upper().endswith("_UNSPECIFIED")
