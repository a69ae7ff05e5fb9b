"""The intake of Alertmanager's webhook: one incident from when an alert fires until it is resolved.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config

A group's status is not looked at: it is that of the alerts that `max_alerts` left in the message. Nor do
fingerprint and start name an alert: after a restart, Alertmanager resolves alerts with a start that it never
announced. So there is one open incident of a fingerprint, and what is resolved is the latest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.api.http_exchange import json_response
from tracker.api.routes import HttpRoute
from tracker.domain.events import FINISHED, attributes_of, event_time
from tracker.domain.overlaps import ended_at
from tracker.domain.query.fields import SOURCE, label
from tracker.domain.query.tree import one_of
from tracker.domain.times import micros, shown
from tracker.intakes import tags
from tracker.intakes.many import together
from tracker.intakes.recorder import Delivery
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    divided,
    json_object,
    moment,
    part,
    refused,
    shortened,
    text,
)
from tracker.pb import event_pb
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protobuf.wkt import Timestamp

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRequest
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

_PATH: Final = "/api/v1alpha1/integrations/alertmanager/webhook"
_SOURCE: Final = "alertmanager"
_FINGERPRINT: Final = "fingerprint"
"""The label that has it."""
_UNCERTAIN: Final = "uncertain"
"""The label of incidents that were seen only in groups from which Alertmanager cut alerts."""
_LONGEST_FINGERPRINT: Final = 100
_LATEST: Final = 20
"""The latest incidents of an alert, which are looked at."""
_TITLES: Final = ("summary", "title")
_MESSAGES: Final = ("description", "message")
_SERVICES: Final = ("app", "app_kubernetes_io_name", "job")
"""Labels with the name of the service, where there is no label `service`."""
_PRIORITIES: Final = {
    "critical": event_pb.Priority.P1,
    "page": event_pb.Priority.P1,
    "error": event_pb.Priority.P2,
    "high": event_pb.Priority.P2,
    "warning": event_pb.Priority.P3,
    "info": event_pb.Priority.P5,
}


@dataclass(frozen=True, slots=True)
class _Alert:
    """An alert of a message, and the incident as it would be recorded if none were known."""

    fingerprint: str
    fires: bool
    ends: Timestamp | None
    title: str
    incident: event_pb.EventAttributes
    content: Mapping[str, Any]


class Alertmanager:
    """Opens and closes incidents as alerts fire and are resolved."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""
        return (HttpRoute("POST", _PATH, self._receive, Permission.EVENT_WRITE, compressed=True),)

    async def _receive(self, request: HttpRequest, call: Call) -> HttpResponse:
        alerts = _alerts(json_object(request.body))

        async def deliver(index: int) -> None:
            alert = alerts[index]
            attributes = await self._change(alert, call)
            if attributes is not None:
                asked = event_pb.CreateEventRequest(title=alert.title, attributes=attributes)
                self._recorder.mappings().place(asked)
                await self._recorder.deliver(Delivery(asked, alert.content), call)

        await together([each.fingerprint for each in alerts], deliver)
        return json_response({"status": "recorded"})

    async def _change(self, alert: _Alert, call: Call) -> event_pb.EventAttributes | None:
        """Return the attributes by which an incident is recorded or changed, or None where it is known."""
        known = await self._incidents(alert.fingerprint, call)
        incident = alert.incident
        lasting = next((each for each in known if attributes_of(each).status not in FINISHED), None)
        ends = None if alert.ends is None else micros(alert.ends)
        if lasting is not None and (alert.fires or ends is None or event_time(lasting) <= ends):
            incident.external_id = attributes_of(lasting).external_id
            incident.start_date = None
            if _UNCERTAIN in incident.labels:
                incident.labels = {name: of for name, of in incident.labels.items() if name != _UNCERTAIN}
            else:
                incident.labels = incident.labels | {_UNCERTAIN: ""}
            if alert.fires:
                incident.status = event_pb.Status(0)
            return incident
        if not alert.fires and any(_includes(each, incident) for each in known):
            return None
        return incident

    async def _incidents(self, fingerprint: str, call: Call) -> Sequence[event_pb.Event]:
        """Return the latest incidents of an alert, the latest one first."""
        wanted = (one_of(SOURCE, (_SOURCE,)), one_of(label(_FINGERPRINT), (fingerprint,)))
        return (await self._recorder.find(wanted, call, _LATEST)).events


def _includes(ended: event_pb.Event, incident: event_pb.EventAttributes) -> bool:
    """Return whether an incident that has ended is the one that a message resolves."""
    if attributes_of(ended).external_id == incident.external_id or incident.start_date is None:
        return True
    end = ended_at(ended)
    return end is not None and event_time(ended) <= micros(incident.start_date) <= end


def _alerts(content: Mapping[str, Any]) -> Sequence[_Alert]:
    """Return the alerts of a message.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is not a message of Alertmanager.
    """
    alerts = content.get("alerts")
    if not isinstance(alerts, list) or not all(isinstance(each, dict) for each in alerts):
        raise refused("alerts", "expected a list of alerts")
    cut = content.get("truncatedAlerts")
    return [_alert(each, uncertain=isinstance(cut, int) and cut > 0) for each in alerts]


def _alert(content: Mapping[str, Any], *, uncertain: bool) -> _Alert:
    fingerprint, status = text(content, "fingerprint"), text(content, "status")
    if not 0 < len(fingerprint) <= _LONGEST_FINGERPRINT:
        raise refused("alerts.fingerprint", "expected a text")
    if status not in ("firing", "resolved"):
        raise refused("alerts.status", "expected firing or resolved")
    fires, starts = status == "firing", moment(content, "startsAt")
    ends = None if fires else moment(content, "endsAt")
    given = {name: of for name, of in part(content, "labels").items() if isinstance(of, str)}
    notes = part(content, "annotations")
    own = {
        _FINGERPRINT: fingerprint,
        "url": text(content, "generatorURL"),
        "runbook_url": text(notes, "runbook_url"),
        _UNCERTAIN: "true" if uncertain else "",
    }
    incident = event_pb.EventAttributes(
        source=_SOURCE,
        external_id=f"{fingerprint}:{shown(starts)}",
        type=event_pb.Type.incident,
        status=event_pb.Status.open if fires else event_pb.Status.close,
        start_date=starts,
        end_date=ends,
        labels={name: value[:LONGEST_LABEL] for name, value in own.items() if value},
    )
    tags.apply((f"{name}:{value}" for name, value in given.items() if value), incident)
    services = (given[name][:LONGEST] for name in _SERVICES if given.get(name))
    incident.service = incident.service or next(services, "unknown")
    incident.priority = incident.priority or _PRIORITIES.get(
        given.get("severity", "").lower(), event_pb.Priority(0)
    )
    told = (text(notes, name) for name in _MESSAGES)
    usual = given.get("alertname") or fingerprint
    title, message = divided(
        next((each for each in (text(notes, name) for name in _TITLES) if each.strip()), usual),
        next(filter(None, told), ""),
    )
    incident.message = shortened(message)
    return _Alert(fingerprint, fires, ends, title, incident, content)
