"""The webhooks of a server, put together from their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.outgoing.public_http import PublicHttp
from tracker.services.webhooks.outbox import WebhookOutbox
from tracker.services.webhooks.sender import WebhookSender
from tracker.services.webhooks.service import WebhookService

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AsyncExitStack
    from ipaddress import IPv4Network, IPv6Network

    from tracker.services.consumers import Consumer
    from tracker.services.context import Context
    from tracker.services.webhooks.sender import SenderObserver
    from tracker.stores.webhooks import WebhookStore
    from tracker.supervision import Supervisor


def open_webhooks(  # noqa: PLR0913, PLR0917 - what they are made of
    allowed: Sequence[IPv4Network | IPv6Network],
    store: WebhookStore,
    context: Context,
    observer: SenderObserver,
    tasks: Supervisor,
    opened: AsyncExitStack,
) -> tuple[WebhookService, Consumer]:
    """Begin to send messages; return the service of webhooks, and the consumer of changes for them."""
    http = PublicHttp(allowed)
    opened.push_async_callback(http.close)
    sender = WebhookSender(store, context, http, observer)
    opened.push_async_callback(sender.close)
    tasks.repeat("webhooks", sender.work)
    opened.push_async_callback(tasks.stop, "webhooks")
    service = WebhookService(store, context, http, sender.wake)
    return service, WebhookOutbox(store, context, sender.wake).consumer()
