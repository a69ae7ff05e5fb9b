"""Sends the messages of webhooks, each until its receiver accepts it or all attempts have failed.

Standard Webhooks 1.0 (https://www.standardwebhooks.com) has the schedule, and what an answer means.
"""

from __future__ import annotations

import asyncio
import copy
import operator
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from tracker.domain.times import micros, timestamp
from tracker.errors import TrackerError
from tracker.services.webhooks.channels import Sent
from tracker.services.webhooks.messages import SUMMARY, thread_micros
from tracker.stores.webhooks import FOREVER, DeliveryFilter, DeliveryState
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.pb import webhook_pb
    from tracker.services.context import Context
    from tracker.services.webhooks.channels import Channel
    from tracker.stores.webhooks import Delivery, StoredWebhook, WebhookStore

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
RETRY_SECONDS: Final = (
    *(5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR),
    *(10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)
"""Time after each failed attempt until the next one; after that the message has failed."""

JITTER: Final = 0.2
"""The greatest share by which such a time is longer or shorter, so that failures do not come together."""

FAILING_SECONDS: Final = 5 * 24 * _HOUR
"""A webhook whose every attempt has failed for so long is disabled."""

CLAIM_SECONDS: Final = 60
"""After which another server sends a message whose server was ended."""

AT_ONCE: Final = 10
"""Messages of one webhook that are under way at the same time: a slow receiver delays no other one's."""

KEPT_SECONDS: Final = 30 * 24 * _HOUR
"""How long messages are kept."""

SUMMARIZED: Final = 1_000
"""Messages that one summary tells of at most."""

_TURN_SECONDS: Final = 1
_ATTEMPTED: Final = ("state", "next_at", "attempts", "last_at", "last_status", "last_error", "receipt")
_CLOSE_SECONDS: Final = 3.0
_LONGEST_RETRY_AFTER: Final = 24 * _HOUR
_LONGEST_PAUSE: Final = 30.0
_FORGET_SECONDS: Final = 600
_LONGEST_ERROR: Final = 300
_GONE: Final = 410


class SenderObserver(Protocol):
    """What is reported of messages, for metrics."""

    def webhook_attempted(self, result: str) -> None:
        """An attempt was made: `delivered`, `failed`, or `given_up` after the last one."""

    def webhook_waited(self, seconds: float) -> None:
        """A message was sent for the first time, so long after its change."""


class WebhookSender:
    """Sends messages that are due, each over the channel of its format. Several servers share the work.

    `chance` returns a number from 0 to 1.
    """

    def __init__(
        self,
        store: WebhookStore,
        context: Context,
        channels: Mapping[webhook_pb.WebhookFormat, Channel],
        observer: SenderObserver,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._context = context
        self._channels = channels
        self._observer = observer
        self._chance = chance
        self._wake = asyncio.Event()
        self._under_way: dict[str, set[asyncio.Task[None]]] = {}
        self._forgot_at = 0

    def wake(self) -> None:
        """Look for messages at once: there are new ones, or a webhook has changed."""
        self._wake.set()

    async def work(self) -> None:
        """Begin to send what is due, and wait until more may be: one round of a background task."""
        self._wake.clear()
        next_at = await self._send_due()
        await self._forget()
        pause = min(_LONGEST_PAUSE, self._store.poll_seconds or _LONGEST_PAUSE)
        seconds = min(pause, max(0.0, (next_at - self._context.now()) / MICROS))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def close(self) -> None:
        """Let the attempts under way end, or give them up after a while: they are made again."""
        tasks = [task for each in self._under_way.values() for task in each]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _send_due(self) -> int:
        """Begin to send the messages that are due; return when others are."""
        now, due = self._context.now(), await self._store.next_due()
        if any(at <= now for at in due.values()):
            for webhook in await self._store.find():
                if due.get(webhook.record.id, FOREVER) <= now and not webhook.record.disabled:
                    await self._send_of(webhook, now)
        return min((at for at in due.values() if at > now), default=FOREVER)

    async def _send_of(self, webhook: StoredWebhook, now: int) -> None:
        """Begin to send the due messages of a webhook, as many as may be under way."""
        tasks = self._under_way.setdefault(webhook.record.id, set())
        room = AT_ONCE - len(tasks)
        if room <= 0:
            return  # the end of one of them wakes this task
        claimed = await self._store.claim(webhook.record.id, now, now + CLAIM_SECONDS * MICROS, room)
        for delivery in claimed:
            task = asyncio.create_task(self._send(webhook, delivery))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: self.wake())

    async def _send(self, webhook: StoredWebhook, delivery: Delivery) -> None:
        try:
            if delivery.thread and not await self._has_its_turn(webhook, delivery):
                return
            batch: Sequence[Delivery] = [delivery]
            if delivery.thread == SUMMARY:
                batch = await self._due_with(webhook, delivery)
            settled, is_gone = await self._attempt(webhook, batch)
            await self._store.settle(*settled)
            await self._note(webhook, settled[-1], is_gone=is_gone)
        except TrackerError as error:  # it is sent again once its claim ends
            fields = {"id": delivery.id, "error": error.message}
            self._context.log.warning("webhook message not settled", **fields)

    async def _has_its_turn(self, webhook: StoredWebhook, delivery: Delivery) -> bool:
        """Return whether a message is the first of its thread that waits; else let it wait for that one.

        Whoever has claimed the first one is the only one to send any of them. What no longer waits was sent
        as a part of a summary.
        """
        first = await self._store.first_waiting(webhook.record.id, delivery.thread)
        if first is None or first.id == delivery.id:
            return first is not None
        now = self._context.now()
        under_way = first.next_at - now <= CLAIM_SECONDS * MICROS
        at = now + _TURN_SECONDS * MICROS if under_way else first.next_at + 1
        await self._store.postpone(delivery.id, at)
        return False

    async def _due_with(self, webhook: StoredWebhook, first: Delivery) -> Sequence[Delivery]:
        """Return the messages that are due with the first of a summary, which is the last to be settled."""
        waiting = DeliveryFilter(webhook.record.id, state=DeliveryState.WAITING, thread=SUMMARY)
        found = await self._store.list(waiting, None, SUMMARIZED)
        now = self._context.now() + CLAIM_SECONDS * MICROS  # those that others have claimed wait for this one
        return [*(each for each in found if each.id != first.id and each.next_at <= now), first]

    async def _attempt(
        self, webhook: StoredWebhook, batch: Sequence[Delivery]
    ) -> tuple[Sequence[Delivery], bool]:
        """Send messages once, as one; return what became of them, and whether their receiver is gone."""
        now = self._context.now()
        *others, delivery = batch
        if not delivery.attempts and delivery.thread != SUMMARY:
            self._observer.webhook_waited((now - delivery.created_at) / MICROS)
        receipt = await self._receipt(webhook, delivery, now)
        in_order = sorted(batch, key=lambda each: (each.created_at, each.id))
        sent = await self._sent(webhook, in_order, receipt)
        attempted = delivery._replace(
            attempts=delivery.attempts + 1,
            last_at=now,
            last_status=sent.status,
            last_error=sent.problem[:_LONGEST_ERROR],
            receipt=sent.receipt,
        )
        if not sent.problem:
            self._observer.webhook_attempted("delivered")
            ended = DeliveryState.DELIVERED
        elif attempted.attempts > len(RETRY_SECONDS):
            self._observer.webhook_attempted("given_up")
            ended = DeliveryState.FAILED
        else:
            self._observer.webhook_attempted("failed")
            pause = self._pause(attempted.attempts, sent.retry_after)
            return [attempted._replace(next_at=now + pause)], sent.status == _GONE
        done = attempted._replace(state=ended, next_at=0)
        fields = dict(zip(_ATTEMPTED, operator.attrgetter(*_ATTEMPTED)(done), strict=True))
        return [*(each._replace(**fields) for each in others), done], sent.status == _GONE

    async def _sent(self, webhook: StoredWebhook, batch: Sequence[Delivery], receipt: str) -> Sent:
        """Send messages; one that can't be made, or whose answer can't be read, has failed like any other."""
        try:
            return await self._channels[webhook.record.format].send(webhook, batch, receipt)
        except Exception as error:  # such as for an answer of a form that nobody has foreseen
            self._context.log.exception("webhook message not made", id=batch[0].id)
            return Sent(problem=f"{type(error).__name__}: {error}")

    async def _receipt(self, webhook: StoredWebhook, delivery: Delivery, now: int) -> str:
        """Return where the receiver has the thread of a message, or nothing where it begins one."""
        if not delivery.thread or delivery.thread == SUMMARY:
            return ""
        done = DeliveryFilter(
            webhook.record.id,
            state=DeliveryState.DELIVERED,
            since=now - thread_micros(webhook.record),
            thread=delivery.thread,
        )
        return next((each.receipt for each in await self._store.list(done, None, 1)), "")

    def _pause(self, attempts: int, retry_after: str) -> int:
        """Return the microseconds until the next attempt."""
        seconds = RETRY_SECONDS[attempts - 1] * (1 + JITTER * (2 * self._chance() - 1))
        if retry_after.isascii() and retry_after.isdecimal():
            seconds = max(seconds, min(float(retry_after[:9]), _LONGEST_RETRY_AFTER))
        return round(seconds * MICROS)

    async def _note(self, webhook: StoredWebhook, delivery: Delivery, *, is_gone: bool) -> None:
        """Note since when a webhook fails, and disable one that fails for too long or is gone."""
        was_failing = webhook.record.failing_since is not None
        if delivery.state == DeliveryState.DELIVERED:
            if was_failing:
                await self._change(webhook, lambda record: setattr(record, "failing_since", None))
            return
        since = micros(webhook.record.failing_since) if webhook.record.failing_since else delivery.last_at
        reason = ""
        if is_gone:
            reason = "its receiver answered 410 Gone"
        elif delivery.last_at - since >= FAILING_SECONDS * MICROS:
            reason = "all attempts have failed for 5 days"
        if was_failing and not reason:
            return

        def fail(record: webhook_pb.Webhook) -> None:
            record.failing_since = record.failing_since or timestamp(since)
            if reason:
                record.disabled, record.disabled_reason = True, reason

        await self._change(webhook, fail)
        if reason:
            self._context.log.error(
                "webhook disabled", id=webhook.record.id, name=webhook.record.name, reason=reason
            )

    async def _change(self, webhook: StoredWebhook, change: Callable[[webhook_pb.Webhook], None]) -> None:
        def changed(stored: StoredWebhook) -> StoredWebhook:
            record = copy.copy(stored.record)
            change(record)
            return stored._replace(record=record)

        await self._store.modify(webhook.record.id, changed)

    async def _forget(self) -> None:
        now = self._context.now()
        if now - self._forgot_at >= _FORGET_SECONDS * MICROS:
            self._forgot_at = now
            await self._store.forget(now - KEPT_SECONDS * MICROS)
