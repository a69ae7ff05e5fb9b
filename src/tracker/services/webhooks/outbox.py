"""Stores the messages of webhooks: a consumer of the change log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import TrackerError
from tracker.services.consumers import Consumer
from tracker.services.webhooks.messages import message_of, query_of
from tracker.stores.changes import RecordKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.services.context import Context
    from tracker.stores.changes import Change
    from tracker.stores.webhooks import Delivery, StoredWebhook, WebhookStore


class WebhookOutbox:
    """Stores a message for each change that a webhook hears of; `added` is called after that.

    A change that is read again, after a crash, leads to the same messages, which are stored already.
    """

    def __init__(self, store: WebhookStore, context: Context, added: Callable[[], None]) -> None:
        self._store = store
        self._context = context
        self._added = added
        self._webhooks: Mapping[str, StoredWebhook] = {}
        self._after = -1

    def consumer(self) -> Consumer:
        """Return the consumer of changes that stores messages."""
        return Consumer("webhooks", self.add_messages)

    async def add_messages(self, changes: Sequence[Change]) -> None:
        """Store the messages about some changes."""
        # Changes of webhooks are in the log too: while it is read without a gap, none is missed.
        if changes[0].position.number != self._after + 1 or any(
            each.record is RecordKind.WEBHOOK for each in changes
        ):
            self._webhooks = {each.record.id: each for each in await self._store.find()}
        self._after = -1
        events = [each for each in changes if each.record is RecordKind.EVENT] if self._webhooks else []
        deliveries = self._messages(events) if events else []
        if deliveries:
            await self._store.add(deliveries)
            self._added()
        self._after = changes[-1].position.number

    def _messages(self, changes: Sequence[Change]) -> Sequence[Delivery]:
        clock = self._context.query_clock()
        messages: list[Delivery] = []
        for webhook, _ in self._webhooks.values():
            if webhook.disabled:
                continue
            try:
                query = query_of(webhook, clock)
            except TrackerError as error:  # a query of another version
                fields = {"id": webhook.id, "error": error.message}
                self._context.log.warning("webhook has no valid query", **fields)
                continue
            found = (message_of(change, webhook, query) for change in changes)
            messages.extend(each for each in found if each is not None)
        return messages
