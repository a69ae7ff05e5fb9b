"""`tracker event approve` and `tracker event reject`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.event.options import EventId
from tracker.cli.options import RecordApi, Who
from tracker.cli.printing import echo
from tracker.cli.short_ids import whole_event_id

if TYPE_CHECKING:
    from tracker.cli.calls import Api
    from tracker.transcoding.json_text import JsonValue

Comment = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")]


def approve(id_: EventId, *, comment: Comment = "", who: Who, api: RecordApi) -> None:
    """Approve an event; one that waits for approval is planned from then on.

    Who recorded it does not count, and an approval is void once the version or the place changes.

    Example: tracker event approve 0190d6e0 --comment 'tested on preproduction'
    """
    _decide(api, id_, "approved", "planned", comment=comment, who=who)


def reject(id_: EventId, *, comment: Comment = "", who: Who, api: RecordApi) -> None:
    """Reject an event: it is closed, and earlier approvals are void.

    Example: tracker event reject 0190d6e0 --comment 'wait for the fix'
    """
    _decide(api, id_, "rejected", "close", comment=comment, who=who)


def _decide(api: Api, id_: str, decision: str, status: str, *, comment: str, who: str) -> None:
    from tracker.client.rpcs import ADD_CHANGELOG_ENTRY, UPDATE_EVENT
    from tracker.pb import event_pb

    id_ = whole_event_id(api, id_)
    entry: JsonValue = {"user": who, "change_type": decision, "comment": comment}
    with api.connected() as connection:
        answer = connection.call(ADD_CHANGELOG_ENTRY, ADD_CHANGELOG_ENTRY.of({"id": id_, "entry": entry}))
        event = answer.event or event_pb.Event()
        waits = event.attributes and event.attributes.status is event_pb.Status.waiting_approval
        if decision == "rejected" or waits:
            change: dict[str, JsonValue] = {
                "id": id_,
                "attributes": {"status": status},
                "merge": True,
                "who": who,
            }
            connection.call(UPDATE_EVENT, UPDATE_EVENT.of(change))
    api.show(answer, lambda: echo(f"{decision} {id_}"))
