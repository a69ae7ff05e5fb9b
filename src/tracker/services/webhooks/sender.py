"""Sends the messages of webhooks, each until its receiver accepts it or all attempts have failed.

Standard Webhooks 1.0 (https://www.standardwebhooks.com) has the schedule, and what an answer means.
"""

from __future__ import annotations

import asyncio
import copy
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from tracker.domain.times import micros, timestamp
from tracker.errors import TrackerError
from tracker.services.webhooks.signing import signed_headers
from tracker.stores.webhooks import FOREVER, DeliveryState
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.pb import webhook_pb
    from tracker.services.context import Context
    from tracker.stores.webhooks import Delivery, StoredWebhook, WebhookStore

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
RETRY_SECONDS: Final = (
    *(5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR),
    *(10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)
"""Time after each failed attempt until the next one; after that the message is given up."""

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

_CLOSE_SECONDS: Final = 3.0
_LONGEST_RETRY_AFTER: Final = 24 * _HOUR
_LONGEST_PAUSE: Final = 30.0
_FORGET_SECONDS: Final = 600
_LONGEST_ERROR: Final = 300
_GONE: Final = 410


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


class Post(Protocol):
    """Sends requests."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What `post` raises where there is no answer; the message says why."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a body, and return the answer."""


class SenderObserver(Protocol):
    """What is reported of messages, for metrics."""

    def webhook_attempted(self, result: str) -> None:
        """An attempt was made: `delivered`, `failed`, or `given_up` after the last one."""


class WebhookSender:
    """Sends messages that are due. Several servers on a database share the work.

    `chance` returns a number from 0 to 1.
    """

    def __init__(
        self,
        store: WebhookStore,
        context: Context,
        http: Post,
        observer: SenderObserver,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._context = context
        self._http = http
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
            settled, is_gone = await self._attempt(webhook, delivery)
            await self._store.settle(settled)
            await self._note(webhook, settled, is_gone=is_gone)
        except TrackerError as error:  # it is sent again once its claim ends
            fields = {"id": delivery.id, "error": error.message}
            self._context.log.warning("webhook message not settled", **fields)

    async def _attempt(self, webhook: StoredWebhook, delivery: Delivery) -> tuple[Delivery, bool]:
        """Send a message once; return what became of it, and whether its receiver is gone."""
        now = self._context.now()
        keys = [each.key for each in webhook.secrets if each.until > now]
        headers = {
            **signed_headers(keys, webhook.record.signature, delivery.id, now // MICROS, delivery.body),
            "content-type": delivery.content_type,
            "user-agent": "Tracker-Webhooks",
        }
        attempted = delivery._replace(attempts=delivery.attempts + 1, last_at=now, last_status=0)
        retry_after = ""
        try:
            answer = await self._http.post(webhook.record.url, headers, delivery.body)
        except self._http.errors as error:
            problem = str(error)
        else:
            attempted = attempted._replace(last_status=answer.status)
            if 200 <= answer.status < 300:  # noqa: PLR2004 - success, by RFC 9110
                self._observer.webhook_attempted("delivered")
                return attempted._replace(state=DeliveryState.DELIVERED, next_at=0, last_error=""), False
            retry_after = answer.retry_after
            problem = answer.text or f"status {answer.status}"
        is_gone = attempted.last_status == _GONE
        attempted = attempted._replace(last_error=problem[:_LONGEST_ERROR])
        if attempted.attempts > len(RETRY_SECONDS):
            self._observer.webhook_attempted("given_up")
            return attempted._replace(state=DeliveryState.FAILED, next_at=0), is_gone
        self._observer.webhook_attempted("failed")
        return attempted._replace(next_at=now + self._pause(attempted.attempts, retry_after)), is_gone

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
