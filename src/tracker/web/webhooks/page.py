"""The list of webhooks, with the form for a new one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tracker.pb import webhook_pb
from tracker.permissions import Permission
from tracker.web.forms import NO_FORM
from tracker.web.site import View
from tracker.web.visit import part
from tracker.web.webhooks.entries import CHANGES, FORMATS, SIGNATURES, entries_of, signature_in, webhook_in
from tracker.web.webhooks.rows import delivery_row, state_named, webhook_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tracker.web.visit import Visit
    from tracker.web.webhooks.rows import WebhookRow

PATH: Final = "/webhooks"
_COUNTED: Final = 100
"""Failed messages, as many as are counted."""


class WebhooksPage:
    """Lists the webhooks with what became of their messages, and creates one."""

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the webhooks, and the form to those who may create one."""
        return await _view(visit)

    async def submit(self, visit: Visit) -> View:
        """Create a webhook, and show its secret, only once."""
        visit.require(Permission.WEBHOOK_WRITE)
        wanted = webhook_in(visit.form, webhook_pb.Webhook())
        made = await visit.change(
            webhook_pb.CreateWebhookRequest(
                name=wanted.name,
                url=wanted.url,
                query=wanted.query,
                changes=wanted.changes,
                format=wanted.format,
                signature=signature_in(visit.form),
                notification=wanted.notification,
                token=visit.form.text("token"),
            ),
            webhook_pb.CreateWebhookResponse,
        )
        visit.form = NO_FORM
        return await _view(visit, made)


async def _view(visit: Visit, made: webhook_pb.CreateWebhookResponse | None = None) -> View:
    return View(
        "webhooks/page.html",
        webhooks=await part(_webhooks(visit)),
        made=made,
        begins=entries_of(webhook_pb.Webhook()),
        changes=CHANGES,
        formats=FORMATS,
        signatures=SIGNATURES,
        may_write=visit.call.principal.may(Permission.WEBHOOK_WRITE),
    )


async def _webhooks(visit: Visit) -> Sequence[WebhookRow]:
    found: list[webhook_pb.Webhook] = []
    token = ""
    while True:
        request = webhook_pb.ListWebhooksRequest(page_token=token)
        answer = await visit.ask(request, webhook_pb.ListWebhooksResponse)
        found += answer.webhooks
        token = answer.next_page_token
        if not token:
            break
    return await asyncio.gather(*(_row(visit, each) for each in found))


async def _row(visit: Visit, webhook: webhook_pb.Webhook) -> WebhookRow:
    """Return a webhook with its newest message, and how many failed."""

    def deliveries(state: str, limit: int) -> Awaitable[webhook_pb.ListWebhookDeliveriesResponse]:
        return visit.ask(
            webhook_pb.ListWebhookDeliveriesRequest(id=webhook.id, state=state_named(state), limit=limit),
            webhook_pb.ListWebhookDeliveriesResponse,
        )

    newest, failed = await asyncio.gather(deliveries("", 1), deliveries("failed", _COUNTED))
    last = delivery_row(newest.deliveries[0], visit.times) if newest.deliveries else None
    count = f"{len(failed.deliveries)}{'+' if failed.next_page_token else ''}" if failed.deliveries else ""
    return webhook_row(webhook, visit.times, last, count)
