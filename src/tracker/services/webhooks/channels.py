"""How messages of webhooks reach their receivers: what all ways of sending have, and the signed one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import orjson

from tracker.services.webhooks.signing import signed_headers
from tracker.time_text import MICROS
from tracker.traces import HEADER, parent_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.stores.webhooks import Delivery, StoredWebhook


class Answer(Protocol):
    """An answer of a receiver."""

    @property
    def status(self) -> int:
        """Its HTTP status."""

    @property
    def retry_after(self) -> str:
        """Its header `Retry-After`."""

    @property
    def text(self) -> str:
        """The beginning of its body."""

    @property
    def succeeded(self) -> bool:
        """Whether its status is one of success."""


class Http(Protocol):
    """Sends requests."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What `request` raises where there is no answer; the message says why."""

    async def request(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request, and return the answer."""


class Sent(NamedTuple):
    """What became of an attempt: nothing is wrong with it where `problem` is empty.

    `status` is that of the answer, 0 without one. `receipt` says where the receiver has the message.
    """

    status: int = 0
    problem: str = ""
    retry_after: str = ""
    receipt: str = ""


class Channel(Protocol):
    """A way of sending."""

    async def send(self, webhook: StoredWebhook, deliveries: Sequence[Delivery], receipt: str, /) -> Sent:
        """Send messages as one, in the order of their changes, after that of their thread with a receipt."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Sends a message as it is, signed as Standard Webhooks has it."""

    _http: Http
    _now: Callable[[], int]

    async def send(self, webhook: StoredWebhook, deliveries: Sequence[Delivery], _receipt: str) -> Sent:
        """Send a message."""
        now, (delivery, *_) = self._now(), deliveries
        keys = [each.key for each in webhook.secrets if each.until > now]
        headers = {
            **signed_headers(keys, webhook.record.signature, delivery.id, now // MICROS, delivery.body),
            "content-type": delivery.content_type,
            "user-agent": "Tracker-Webhooks",
        }
        if parent := traceparent(delivery):
            headers[HEADER] = parent
        return await posted(self._http, webhook.url, headers, delivery.body)


def traceparent(delivery: Delivery) -> str:
    """Return the `traceparent` of a message, in the trace that its event belongs to, or nothing."""
    if b'"traceId"' not in delivery.body:
        return ""
    event = orjson.loads(delivery.body).get("data") or {}
    attributes = event.get("customData", event).get("attributes") or {}
    trace_id = str(attributes.get("traceId") or "")
    return parent_of(trace_id, delivery.id) if trace_id else ""


async def posted(http: Http, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
    """Send a body; return what became of it, where the status of the answer says so."""
    try:
        answer = await http.request("POST", url, headers, body)
    except http.errors as error:
        return Sent(problem=str(error))
    return Sent(answer.status, "" if answer.succeeded else failure(answer), answer.retry_after)


def failure(answer: Answer) -> str:
    """Return what an answer other than success says."""
    return answer.text or f"status {answer.status}"
