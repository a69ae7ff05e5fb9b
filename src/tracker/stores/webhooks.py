"""The contract of a store for webhooks and their messages."""

from __future__ import annotations

import base64
import json
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.pb import webhook_pb
    from tracker.stores.idempotency import Once

FOREVER = 2**63 - 1
"""Later than any time, in microseconds since the epoch."""


class SigningSecret(NamedTuple):
    """A key that messages are signed with until a time (microseconds since the epoch)."""

    key: bytes
    until: int = FOREVER


class Credentials(NamedTuple):
    """What messages are sent with, where the record must not have it: an address, and the token of a bot."""

    url: str = ""
    token: str = ""


class StoredWebhook(NamedTuple):
    """A webhook and its secrets, the newest first; the change log doesn't have these, nor credentials."""

    record: webhook_pb.Webhook
    secrets: tuple[SigningSecret, ...]
    credentials: Credentials = Credentials()

    @property
    def url(self) -> str:
        """The address that messages are sent to."""
        return self.credentials.url or self.record.url


class DeliveryState(IntEnum):
    """What became of a message; the numbers are stored, and those of the proto."""

    WAITING = 1
    DELIVERED = 2
    FAILED = 3


class Delivery(NamedTuple):
    """A message of a webhook; times are microseconds since the epoch.

    A message that waits is due at `next_at`; of another one, that is 0. Messages of a `thread` are sent one
    after the other; `receipt` says where the receiver has it, for the next one. Both are empty without one.
    """

    id: str
    webhook: str
    created_at: int
    type: str
    event: str
    content_type: str
    body: bytes
    state: int = DeliveryState.WAITING
    next_at: int = 0
    attempts: int = 0
    last_at: int = 0
    last_status: int = 0
    last_error: str = ""
    thread: str = ""
    receipt: str = ""


class DeliveryFilter(NamedTuple):
    """Messages of a webhook: with some ids or all, of a state or any, of a time, and of a thread or any."""

    webhook: str
    ids: tuple[str, ...] | None = None
    state: int = 0
    since: int = 0
    until: int = FOREVER
    thread: str = ""


class Place(NamedTuple):
    """The place of a message in a list, by the time of its change and its id."""

    created_at: int
    id: str


class WebhookStore(Protocol):
    """Webhooks and their messages."""

    poll_seconds: float | None
    """Seconds between reads for changes of other servers; None where there are none."""

    async def create(self, webhook: StoredWebhook, once: Once[StoredWebhook] | None = None) -> None:
        """Store a new webhook."""

    async def modify(
        self,
        webhook_id: str,
        change: Callable[[StoredWebhook], StoredWebhook],
        once: Once[StoredWebhook] | None = None,
    ) -> StoredWebhook | None:
        """Replace a webhook with what `change` returns for it; return that, or None if missing."""

    async def delete(self, webhook_id: str, once: Once[bool] | None = None) -> bool:
        """Delete a webhook, and messages of that id; return whether there was one."""

    async def find(self) -> Sequence[StoredWebhook]:
        """Return all webhooks, ordered by id."""

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        """Store those of some messages that are new."""

    async def next_due(self) -> Mapping[str, int]:
        """Return when the first message that waits is due, for each webhook that has any."""

    async def claim(self, webhook_id: str, now: int, until: int, most: int) -> Sequence[Delivery]:
        """Return messages of a webhook that are due, the earliest first.

        They are due again at `until`, unless `settle` says otherwise. No other call gets them before.
        """

    async def settle(self, *deliveries: Delivery) -> None:
        """Store what became of some messages, one after the other."""

    async def postpone(self, delivery_id: str, at: int) -> None:
        """Make a message due at a time, if it still waits."""

    async def first_waiting(self, webhook_id: str, thread: str) -> Delivery | None:
        """Return the message of a thread that waits since the earliest change."""

    async def list(self, wanted: DeliveryFilter, after: Place | None, most: int) -> Sequence[Delivery]:
        """Return messages after a place, the newest first."""

    async def replay(self, wanted: DeliveryFilter, at: int) -> int:
        """Make messages due at a time, with all attempts before them; return how many."""

    async def forget(self, before: int) -> None:
        """Delete the messages about changes before a time."""


def write_secrets(webhook: StoredWebhook) -> str:
    """Return the secrets and credentials of a webhook as stores have them."""
    keys = [[base64.b64encode(each.key).decode(), each.until] for each in webhook.secrets]
    return json.dumps({"keys": keys, **webhook.credentials._asdict()} if any(webhook.credentials) else keys)


def read_secrets(text: str) -> tuple[tuple[SigningSecret, ...], Credentials]:
    """Return the secrets and the credentials in a text of `write_secrets`."""
    stored = json.loads(text)
    keys, credentials = stored, Credentials()
    if isinstance(stored, dict):
        keys, credentials = stored["keys"], Credentials(stored["url"], stored["token"])
    return tuple(SigningSecret(base64.b64decode(key), until) for key, until in keys), credentials
