"""The intake of any JSON, by the rules that the operator gives for its sender in the mapping."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.errors import Reason, TrackerError
from tracker.intakes.integrations import Record, record
from tracker.intakes.mapping import selected
from tracker.intakes.requests import LONGEST, access_token, json_value, refused
from tracker.pb import event_pb
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.http_exchange import HttpResponse
    from tracker.api.routes import HttpRequest
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

PATH: Final = "/api/v1alpha1/integrations/{sender}/webhook"
_MOST: Final = 1_000
"""Events of a message."""


class Generic:
    """Records what the rules for a sender make of its messages."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the route of the intake."""
        terms = ForeignTerms(access_token)
        return (
            HttpRoute("POST", PATH, self._receive, Permission.EVENT_WRITE, compressed=True, foreign=terms),
        )

    async def _receive(self, request: HttpRequest, call: Call) -> HttpResponse:
        sender = request.captures[0]
        rules = self._recorder.mappings().rules.get(sender)
        if rules is None:
            problem = f"no sender {sender[:LONGEST]} is known: the mapping has no table [{sender[:LONGEST]}]"
            raise TrackerError(Reason.UNKNOWN_PATH, problem)
        content: object = json_value(request.body)
        parts = [content]
        if rules.each is not None:
            found = selected(rules.each, content) or []
            if not isinstance(found, list) or len(found) > _MOST:
                raise refused(f"mapping {sender}.each", f"expected a list of up to {_MOST} parts")
            parts = found
        records = [Record(event_pb.CreateEventRequest(), part) for part in parts]
        return await record(records, replace(self._recorder, sender=sender), call, "")
