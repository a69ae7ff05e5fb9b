"""Annotations in Grafana: https://grafana.com/docs/grafana/latest/developers/http_api/annotations/.

An event has one annotation, which is updated as the event goes on. Its tag `tracker:ID` finds it again where
the answer to its creation was lost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.events import event_id, event_time
from tracker.domain.overlaps import ended_at
from tracker.services.webhooks.channels import Sent, failure
from tracker.services.webhooks.notices import cut, notice_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.services.webhooks.channels import Http
    from tracker.services.webhooks.notices import Notice
    from tracker.stores.webhooks import Delivery, StoredWebhook

_TAGGED: Final = ("type", "service", "environment", "status")
_LONGEST_TAG: Final = 100
_MILLI: Final = 1_000
_GONE: Final = 404


@dataclass(frozen=True, slots=True)
class Grafana:
    """Writes annotations with the token of a service account."""

    _http: Http
    _public_url: str

    async def send(self, webhook: StoredWebhook, deliveries: Sequence[Delivery], receipt: str) -> Sent:
        """Create, update or delete the annotation of an event; its id is the receipt."""
        notice, told = notice_of(deliveries[0], self._public_url), webhook.record.notification
        content = _annotation(notice, told.template if told else "")
        if not receipt:
            found, listed = await self._ask(webhook, "GET", f"?limit=1&tags={content['tags'][0]}")
            if found.problem:
                return found
            receipt = str(listed[0]["id"]) if isinstance(listed, list) and listed else ""
        if notice.kind == "event.deleted":
            sent = (await self._ask(webhook, "DELETE", f"/{receipt}"))[0] if receipt else Sent()
            return Sent(sent.status) if sent.status == _GONE else sent
        if receipt:
            sent, _ = await self._ask(webhook, "PUT", f"/{receipt}", content)
            if sent.status != _GONE:
                return sent._replace(receipt=receipt)
        sent, answer = await self._ask(webhook, "POST", "", content)
        return sent._replace(receipt=str(answer["id"]) if isinstance(answer, dict) and "id" in answer else "")

    async def _ask(
        self, webhook: StoredWebhook, verb: str, path: str, content: object = None
    ) -> tuple[Sent, Any]:
        """Call the API; return what became of that, and what it has answered."""
        headers = {"authorization": f"Bearer {webhook.credentials.token}", "content-type": "application/json"}
        address = f"{webhook.url.rstrip('/')}/api/annotations{path}"
        body = b"" if content is None else json.dumps(content).encode()
        try:
            answer = await self._http.request(verb, address, headers, body)
        except self._http.errors as error:
            return Sent(problem=str(error)), None
        if not answer.succeeded:
            return Sent(answer.status, failure(answer), answer.retry_after), None
        try:
            return Sent(answer.status), json.loads(answer.text)
        except ValueError:
            return Sent(answer.status, f"expected JSON, got {cut(answer.text, 100)!r}"), None


def _annotation(notice: Notice, template: str) -> dict[str, Any]:
    event = notice.event
    begin, end = event_time(event), ended_at(event)
    tags = [f"{name}:{notice.facts[name]}" for name in _TAGGED if name in notice.facts]
    parts = [notice.text(template), "" if template else notice.message, notice.url]
    return {
        "time": begin // _MILLI,
        "timeEnd": (begin if end is None else end) // _MILLI,
        "tags": [f"tracker:{event_id(event)}", *(cut(tag, _LONGEST_TAG) for tag in tags)],
        "text": "\n".join(filter(None, parts)),
    }
