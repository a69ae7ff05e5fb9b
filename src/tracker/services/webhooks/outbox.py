"""Stores the messages of webhooks: a consumer of the change log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.errors import TrackerError
from tracker.services.consumers import Consumer
from tracker.services.webhooks.messages import Moment, message_of, query_of
from tracker.stores.changes import AGED_OUT, RecordKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.pb import webhook_pb
    from tracker.services.context import Context
    from tracker.stores.changes import Change
    from tracker.stores.webhooks import Delivery, WebhookStore

_GATHER_SECONDS: Final = 0.05
"""How long changes are gathered: a client that makes one after the other would have each looked at alone."""

_WEBHOOKS: Final = (RecordKind.WEBHOOK,)
_EVENTS_TOO: Final = (RecordKind.EVENT, RecordKind.WEBHOOK)


class WebhookOutbox:
    """Stores a message for each change that a webhook gets; `added` is called after that.

    A change that is read again, after a crash, leads to the same messages, which are stored already.
    """

    def __init__(self, store: WebhookStore, context: Context, added: Callable[[], None]) -> None:
        self._store = store
        self._context = context
        self._added = added
        self._webhooks: Sequence[webhook_pb.Webhook] | None = None

    def consumer(self) -> Consumer:
        """Return the consumer of changes that stores messages."""
        return Consumer(
            "webhooks",
            self.add_messages,
            gather_seconds=_GATHER_SECONDS,
            kinds=self._kinds,
            begin=self._forget_webhooks,
        )

    async def add_messages(self, changes: Sequence[Change]) -> None:
        """Store the messages about some changes."""
        # Changes of webhooks are in the log too: while it is read without a gap, none is missed.
        webhooks = self._webhooks
        if webhooks is None or any(each.record is RecordKind.WEBHOOK for each in changes):
            webhooks = [each.record for each in await self._store.find() if not each.record.disabled]
        events = [each for each in changes if _is_news(each)] if webhooks else []
        deliveries = self._messages(events, webhooks) if events else []
        if deliveries:
            await self._store.add(deliveries)
            self._added()
        self._webhooks = webhooks

    def _kinds(self) -> Sequence[RecordKind]:
        """Return the kinds of records whose changes matter: without webhooks, those of webhooks alone."""
        return _WEBHOOKS if self._webhooks is not None and not self._webhooks else _EVENTS_TOO

    def _forget_webhooks(self) -> None:
        self._webhooks = None

    def _messages(
        self, changes: Sequence[Change], webhooks: Sequence[webhook_pb.Webhook]
    ) -> Sequence[Delivery]:
        clock = self._context.query_clock()
        messages: list[Delivery] = []
        moment = Moment(clock.now, clock.zone)
        for webhook in webhooks:
            try:
                query = query_of(webhook, clock)
            except TrackerError as error:  # a query of another version
                fields = {"id": webhook.id, "error": error.message}
                self._context.log.warning("webhook has no valid query", **fields)
                continue
            found = (message_of(change, webhook, query, moment) for change in changes)
            messages.extend(each for each in found if each is not None)
        return messages


def _is_news(change: Change) -> bool:
    """Return whether a change may be told: of an event, unless that has only become too old."""
    return change.record is RecordKind.EVENT and change.ending != AGED_OUT
