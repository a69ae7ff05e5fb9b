"""Parts of requests for events, made of the options of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.cli.options import label

if TYPE_CHECKING:
    from datetime import datetime

    from tracker.pb import event_pb


def attributes_of(
    *,
    texts: dict[str, str],
    labels: list[str] | None = None,
    stake_holders: list[str] | None = None,
    period: tuple[datetime | None, datetime | None] = (None, None),
    impact: bool = False,
) -> event_pb.EventAttributes:
    """Return the attributes that the options of a command stand for; an empty text is not given."""
    from protobuf import message_from_json_value
    from protobuf.wkt import Timestamp

    from tracker.pb import event_pb

    attributes = message_from_json_value(
        event_pb.EventAttributes, {name: text for name, text in texts.items() if text}
    )
    attributes.labels = dict(map(label, labels or ()))
    attributes.stake_holders = stake_holders or []
    start, end = period
    attributes.start_date = None if start is None else Timestamp.from_datetime(start)
    attributes.end_date = None if end is None else Timestamp.from_datetime(end)
    attributes.impact = impact
    return attributes


def links_of(pull_request: str, ticket: str) -> event_pb.EventLinks:
    """Return the links that the options of a command stand for."""
    from tracker.pb import event_pb

    return event_pb.EventLinks(pull_request_link=pull_request, ticket=ticket)
