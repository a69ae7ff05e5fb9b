"""What no schema can say of a valid request, for `schemathesis run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import schemathesis

if TYPE_CHECKING:
    from typing import TypeAlias

    Case: TypeAlias = schemathesis.Case[Any]

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


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: Case) -> Case:
    """Make a request that its schema allows one that makes sense."""
    if case.meta is not None and not case.meta.generation.mode.is_positive:
        return case
    query = dict(case.query) if isinstance(case.query, dict) else {}
    # A page token is good for the list that gave it; nobody can make one up.
    query.pop("pageToken", None)
    # A period ends after it begins.
    if {"startDate", "endDate"} <= set(query):
        query |= {"startDate": "1970-01-01", "endDate": "9999-12-31"}
    # A search needs a filter.
    if case.operation.path.endswith("/events/search") and not any(map(_filters, map(query.get, FILTERS))):
        query["service"] = "payments"
    case.query = query
    return case


def _filters(value: object) -> bool:
    return value not in (None, "") and not str(value).upper().endswith("_UNSPECIFIED")
