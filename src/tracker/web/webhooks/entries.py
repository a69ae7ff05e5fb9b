"""The fields of a webhook in a form: what they begin with, and what their entries make."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, TypeVar

from tracker.errors import FieldViolation, invalid
from tracker.pb import webhook_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.web.forms import Form

E = TypeVar("E", webhook_pb.WebhookFormat, webhook_pb.WebhookSignature)

CHANGES: Final = tuple(each.name for each in webhook_pb.Webhook.Change if each)
FORMATS: Final = tuple((each.name, each.name) for each in webhook_pb.WebhookFormat if each)
SIGNATURES: Final = tuple((each.name, each.name) for each in webhook_pb.WebhookSignature if each)
_TEXTS: Final = ("name", "url", "query")
_HOW: Final = ("channel", "time_zone", "quiet_hours", "digest_at", "template")


def entries_of(webhook: webhook_pb.Webhook) -> Mapping[str, str]:
    """Return what the fields of a form say of a webhook."""
    how = webhook.notification or webhook_pb.Notification()
    return {
        **{name: getattr(webhook, name) for name in _TEXTS},
        **{name: getattr(how, name) for name in _HOW},
        "group_by": ", ".join(how.group_by),
        "format": webhook.format.name if webhook.format else "native",
        **{name: "1" if any(each.name == name for each in webhook.changes) else "" for name in CHANGES},
    }


def webhook_in(form: Form, before: webhook_pb.Webhook) -> webhook_pb.Webhook:
    """Return a webhook as the entries of a form change it; what no field of the form has stays.

    Raises:
        TrackerError: INVALID_ARGUMENT; it has an unknown format.
    """
    webhook = copy.copy(before)
    for name in _TEXTS:
        setattr(webhook, name, form.text(name).strip())
    webhook.changes = [each for each in webhook_pb.Webhook.Change if each and form.text(each.name)]
    webhook.format = _named(webhook_pb.WebhookFormat, "format", form)
    how = copy.copy(before.notification) if before.notification else webhook_pb.Notification()
    for name in _HOW:
        setattr(how, name, form.text(name).strip())
    how.group_by = [each.strip() for each in form.text("group_by").split(",") if each.strip()]
    webhook.notification = how if how != webhook_pb.Notification() else None
    return webhook


def signature_in(form: Form) -> webhook_pb.WebhookSignature:
    """Return how a form wants messages signed.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is unknown.
    """
    return _named(webhook_pb.WebhookSignature, "signature", form)


def _named(enum: type[E], name: str, form: Form) -> E:
    found = next((each for each in enum if each.name == form.text(name)), None)
    if found is None:
        raise invalid(FieldViolation(name, f"unknown {name}: {form.text(name)}"))
    return found
