"""What people say of the changes that may have caused an incident: the links of the incident."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from tracker.domain import changelog
from tracker.domain.events import event_id, metadata_of
from tracker.errors import FieldViolation, invalid
from tracker.pb import incident_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.pb import event_pb

LINKS: Final = tuple(link for link in incident_pb.Link if link)
"""The links that an incident may have to a change; `EventMetadata` has a list of the name of each."""

_MOST: Final = 100


def links_of(incident: event_pb.Event) -> Mapping[str, incident_pb.Link]:
    """Return the links of an incident by the ids of changes."""
    metadata = metadata_of(incident)
    return {change: link for link in reversed(LINKS) for change in getattr(metadata, link.name)}


def linked(  # noqa: PLR0913, PLR0917 - what a request says, and when
    incident: event_pb.Event,
    change: event_pb.Event,
    link: incident_pb.Link,
    now: int,
    comment: str = "",
    who: str = "",
) -> event_pb.Event:
    """Return an incident with a link to a change in place of an earlier one, and an entry in its changelog.

    Raises:
        TrackerError: INVALID_ARGUMENT; it would be linked to itself, or to too many.
    """
    change_id = event_id(change)
    if link and link not in LINKS:
        raise invalid(FieldViolation("link", f"expected one of {', '.join(each.name for each in LINKS)}"))
    if change_id == event_id(incident):
        raise invalid(FieldViolation("change_id", "an incident can't be linked to itself"))
    before = links_of(incident).get(change_id, incident_pb.Link.UNSPECIFIED)
    if link == before:
        return incident
    incident = copy.copy(incident)
    incident.metadata = metadata = copy.copy(metadata_of(incident))
    for each in LINKS:
        others = [other for other in getattr(metadata, each.name) if other != change_id]
        setattr(metadata, each.name, [*others, change_id] if each == link else others)
        if len(getattr(metadata, each.name)) > _MOST:
            raise invalid(FieldViolation("change_id", f"an incident has up to {_MOST} links of a kind"))
    ids = ("", change_id) if link else (change_id, "")
    incident.changelog = [
        *incident.changelog,
        changelog.change_linked(incident, link or before, *ids, now, comment, who),
    ]
    return incident
