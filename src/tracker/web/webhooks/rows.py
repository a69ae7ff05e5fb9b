"""Webhooks and their messages as pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.times import micros
from tracker.pb import webhook_pb
from tracker.web.tones import UNKNOWN, Label
from tracker.web.visit import address

if TYPE_CHECKING:
    from markupsafe import Markup

    from tracker.web.times import Times

_State: Final = webhook_pb.WebhookDelivery.State
_LOOKS: Final = {
    _State.waiting: Label("waiting", "run", "clock"),
    _State.delivered: Label("delivered", "ok", "check"),
    _State.failed: Label("failed", "bad", "cross"),
}
STATES: Final = (("", "all"), ("waiting", "waiting"), ("delivered", "delivered"), ("failed", "failed"))
"""The states of messages by which a list is filtered, and their words."""


class DeliveryRow(NamedTuple):
    """A message; `next` is when it is tried again, if it is."""

    id: str
    type: str
    event_href: str
    when: Markup
    look: Label
    attempts: int
    next: Markup
    last: Markup
    status: str
    error: str


class WebhookRow(NamedTuple):
    """A webhook; `last` is its newest message, and `failed` how many failed, with `+` for more."""

    id: str
    name: str
    url: str
    about: str
    format: str
    look: Label
    why: str
    last: DeliveryRow | None
    failed: str


def webhook_row(
    webhook: webhook_pb.Webhook, times: Times, last: DeliveryRow | None = None, failed: str = ""
) -> WebhookRow:
    """Return how a list shows a webhook."""
    changes = ", ".join(each.name for each in webhook.changes)
    look, why = Label("on", "ok", "check"), ""
    if webhook.disabled:
        look, why = Label("off", "note", "dot"), webhook.disabled_reason
    elif webhook.failing_since is not None:
        look, why = Label("failing", "bad", "triangle"), f"since {times.full(micros(webhook.failing_since))}"
    return WebhookRow(
        webhook.id,
        webhook.name,
        webhook.url,
        " · ".join(filter(None, [webhook.query or "all events", changes and f"{changes} only"])),
        webhook.format.name,
        look,
        why,
        last,
        failed,
    )


def delivery_row(delivery: webhook_pb.WebhookDelivery, times: Times) -> DeliveryRow:
    """Return how a list shows a message."""
    return DeliveryRow(
        delivery.id,
        delivery.type,
        address(f"/events/{delivery.event_id}", {}) if delivery.event_id else "",
        times.tag(delivery.created_at, age=True),
        _LOOKS.get(delivery.state, UNKNOWN),
        delivery.attempts,
        times.tag(delivery.next_attempt_at, age=True),
        times.tag(delivery.last_attempt_at, age=True),
        f"{delivery.last_status}" if delivery.last_status else "",
        delivery.last_error,
    )


def state_named(name: str) -> webhook_pb.WebhookDelivery.State:
    """Return the state of a name, that of all for an unknown one."""
    return next((each for each in _State if each and each.name == name), _State(0))
