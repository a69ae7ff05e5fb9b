"""Exports of Grafana: the answer of `GET /api/annotations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.intakes import grafana
from tracker.intakes.archives.records import Product, imported, listed
from tracker.intakes.requests import LONGEST, first_text, optional, text

if TYPE_CHECKING:
    from tracker.intakes.archives.records import Record
    from tracker.pb import event_pb

_NAME: Final = "grafana"
_USERS: Final = ("login", "userName", "email")
_BECOMES: Final = {
    "id": "external id",
    "text": "title: its first line; message: the others",
    "tags": "service, environment, version, owner and other fields; labels",
    "time": "start",
    "timeEnd": "end",
    "dashboardUID": "label dashboard_uid",
    "dashboardId": "label dashboard_id",
    "panelId": "label panel_id",
    "login": "owner",
    "userName": "owner",
    "email": "owner, without a login",
    "alertName": "title, without a text",
    "newState": "title, without a text",
}


def _event(record: Record) -> event_pb.Event:
    content = dict(record)
    if not text(record, "text").strip() and record.get("alertId"):  # an alert's change of state
        name = first_text(record, ("alertName",)) or f"Alert {text(record, 'alertId')}"
        content["text"] = f"{name}: {text(record, 'newState') or 'changed'}"
    for name in ("dashboardId", "panelId"):
        if not content.get(name):
            content.pop(name, None)
    request = grafana.event_request(content)
    if request.attributes is not None and not request.attributes.owner:
        request.attributes.owner = first_text(record, _USERS)[:LONGEST]
    own = optional(record, "id", int)
    return imported(request, _NAME, "" if own is None else str(own), record)


GRAFANA: Final = Product(_NAME, listed, _event, _BECOMES)
