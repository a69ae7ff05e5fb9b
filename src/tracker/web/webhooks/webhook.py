"""The page of a webhook: its messages, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.errors import FieldViolation, invalid
from tracker.number_text import number_of
from tracker.pb import webhook_pb
from tracker.permissions import Permission
from tracker.web.forms import NO_FORM, Done, digest_of, require_unchanged
from tracker.web.site import View
from tracker.web.visit import part
from tracker.web.webhooks.entries import CHANGES, FORMATS, entries_of, webhook_in
from tracker.web.webhooks.page import PATH
from tracker.web.webhooks.rows import STATES, delivery_row, state_named, webhook_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.visit import Visit
    from tracker.web.webhooks.rows import DeliveryRow

_SHOWN: Final = 50


class WebhookPage:
    """Shows a webhook and its messages, sends these again, and changes or deletes it."""

    path = f"{PATH}/{{id}}"

    async def show(self, visit: Visit) -> View:
        """Show the webhook that the address names."""
        return await _view(visit)

    async def submit(self, visit: Visit) -> Done | View:
        """Do what a form asks for; a new secret is shown once."""
        visit.require(Permission.WEBHOOK_WRITE)
        id_, action = visit.captures[0], visit.form.action
        if action == "delete":
            await visit.change(webhook_pb.DeleteWebhookRequest(id=id_), webhook_pb.DeleteWebhookResponse)
            return Done(PATH, "The webhook is deleted.")
        if action == "rotate":
            rotated = await visit.change(
                webhook_pb.RotateWebhookSecretRequest(id=id_), webhook_pb.RotateWebhookSecretResponse
            )
            visit.form = NO_FORM
            return await _view(visit, rotated.secret)
        return Done(visit.here(visit.address_path), await _done(visit, id_, action))


async def _done(visit: Visit, id_: str, action: str) -> str:
    """Do what a form asks for, and return what is told."""
    match action:
        case "on" | "off":
            stored = await _stored(visit, id_)
            stored.disabled = action == "off"
            await _update(visit, stored)
            return f"The webhook is {action}."
        case "change":
            stored = await _stored(visit, id_)
            begins = entries_of(stored)
            require_unchanged(visit.form, "webhook", digest_of(begins), begins)
            await _update(visit, webhook_in(visit.form, stored), visit.form.text("token"))
            return "The webhook is changed."
        case "test":
            await visit.change(webhook_pb.TestWebhookRequest(id=id_), webhook_pb.TestWebhookResponse)
            return "A test message is being sent: the newest one below."
        case "replay":
            return await _replay(visit, id_, [visit.form.text("delivery")])
        case "replay-failed":
            return await _replay(visit, id_)
        case _:
            raise invalid(FieldViolation("action", f"unknown action: {action}"))


async def _replay(visit: Visit, id_: str, deliveries: Sequence[str] = ()) -> str:
    """Send messages again, or without their ids all that failed."""
    request = webhook_pb.ReplayWebhookDeliveriesRequest(id=id_, delivery_ids=[*deliveries])
    answer = await visit.change(request, webhook_pb.ReplayWebhookDeliveriesResponse)
    return f"{number_of(answer.count, 'message')} will be sent again."


async def _stored(visit: Visit, id_: str) -> webhook_pb.Webhook:
    answer = await visit.ask(webhook_pb.GetWebhookRequest(id=id_), webhook_pb.GetWebhookResponse)
    return answer.webhook or webhook_pb.Webhook()


async def _update(visit: Visit, webhook: webhook_pb.Webhook, token: str = "") -> None:
    await visit.change(
        webhook_pb.UpdateWebhookRequest(
            id=webhook.id,
            name=webhook.name,
            url=webhook.url,
            query=webhook.query,
            changes=webhook.changes,
            format=webhook.format,
            disabled=webhook.disabled,
            notification=webhook.notification,
            token=token,
        ),
        webhook_pb.UpdateWebhookResponse,
    )


async def _view(visit: Visit, secret: str | None = None) -> View:
    webhook = await _stored(visit, visit.captures[0])
    state = visit.choice("state", dict(STATES))
    deliveries = await part(_deliveries(visit, webhook.id, state))
    rows, token = deliveries.value or ((), "")
    scopes = [
        f"{name} {', '.join(values)}"
        for each in webhook.scopes
        for name, values in (
            ("services", each.services),
            ("environments", each.environments),
            ("teams", each.teams),
        )
        if values
    ]
    return View(
        "webhooks/webhook.html",
        webhook=webhook_row(webhook, visit.times),
        stored=webhook,
        scopes=scopes,
        created=visit.times.long_tag(webhook.created_at),
        secret=secret,
        begins=entries_of(webhook),
        was=digest_of(entries_of(webhook)),
        changes=CHANGES,
        formats=FORMATS,
        deliveries=rows,
        error=deliveries.error,
        state=state,
        states=[
            (visit.here(visit.address_path, state=each, after=""), each, words) for each, words in STATES
        ],
        next=visit.here(visit.address_path, after=token) if token else "",
    )


async def _deliveries(visit: Visit, id_: str, state: str) -> tuple[Sequence[DeliveryRow], str]:
    request = webhook_pb.ListWebhookDeliveriesRequest(
        id=id_, state=state_named(state), limit=_SHOWN, page_token=visit.one("after")
    )
    found = await visit.ask(request, webhook_pb.ListWebhookDeliveriesResponse)
    return [delivery_row(each, visit.times) for each in found.deliveries], found.next_page_token
