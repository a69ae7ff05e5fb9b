"""What SQL reads of an event: expressions for its values, from a column or from its document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from tracker.domain.query import fields
from tracker.domain.query.fields import Kind
from tracker.time_text import EARLIEST, LATEST

_COLUMNS: Final = {
    fields.ID: "id",
    fields.SLACK: "ifnull(slack_id, '')",
    fields.EXTERNAL_ID: "ifnull(external_id, '')",
    fields.RELATED: "ifnull(related_id, '')",
    fields.SERVICE: "service",
    fields.SOURCE: "source",
    fields.TYPE: "type",
    fields.PRIORITY: "priority",
    fields.STATUS: "status",
    fields.ENVIRONMENT: "environment",
    fields.IMPACT: "impact",
    fields.TIME: "time",
    fields.END: "end_time",
    fields.DURATION: "duration",
}
_PATHS: Final = {
    fields.OWNER: "attributes.owner",
    fields.VERSION: "attributes.version",
    fields.NOTIFICATION: "attributes.notification",
    fields.PULL_REQUEST: "links.pullRequestLink",
    fields.TICKET: "links.ticket",
}
_MOMENTS: Final = {fields.START: "attributes.startDate", fields.CREATED: "metadata.createdAt"}
_READ: Final = frozenset({*_COLUMNS, *_PATHS, *_MOMENTS})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def reads_document(field: fields.Field) -> bool:
    """Return whether an event's value of a field is read from its document."""
    return field not in _COLUMNS


def is_read(field: fields.Field) -> bool:
    """Return whether SQL can read an event's value of a field: not the words of a text, and not of a list."""
    return field in _READ or fields.label_name(field) is not None


def value_of(field: fields.Field) -> str:
    """Return the expression for an event's value of a field that SQL can read.

    A text is '' where it is unset, the number of a choice or a flag is 0. A time or a duration, which is as
    `bound` has it, is NULL.
    """
    if field in _COLUMNS:
        return _COLUMNS[field]
    if field in _MOMENTS:
        return f"rtrim(document ->> '$.{_MOMENTS[field]}', 'Z')"
    label = fields.label_name(field)
    path = _PATHS[field] if label is None else f'attributes.labels."{label}"'
    unset = "''" if field.kind is Kind.KEYWORD else "0"
    return f"ifnull(document ->> '$.{path}', {unset})"


def bound(field: fields.Field, number: int) -> int | str:
    """Return what to compare a time or a duration with; for a moment in a document, text that sorts alike."""
    if field not in _MOMENTS:
        return number
    if not EARLIEST <= number <= LATEST:
        return "" if number < EARLIEST else "~"
    moment = (_EPOCH + timedelta(microseconds=number)).replace(tzinfo=None).isoformat()
    return moment.rstrip("0") if "." in moment else moment
