"""The webhook service: webhooks, and the messages that they have sent."""

from __future__ import annotations

import copy
import json
from operator import attrgetter
from typing import TYPE_CHECKING

from tracker.domain.times import duration_micros, micros, timestamp
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb, webhook_pb
from tracker.permissions import Permission
from tracker.services.context import permission_required
from tracker.services.paging import (
    DEFAULT_PER_PAGE,
    answer_bytes,
    fitting,
    own,
    page_token,
    parse_page_token,
)
from tracker.services.webhooks.messages import FOR_PEOPLE, TEST, message, query_of
from tracker.services.webhooks.signing import new_key, public_key, shown_secret
from tracker.services.webhooks.targets import told
from tracker.stores.webhooks import (
    FOREVER,
    DeliveryFilter,
    DeliveryState,
    Place,
    SigningSecret,
    StoredWebhook,
)
from tracker.time_text import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.services.context import Call, Context
    from tracker.services.webhooks.targets import Targets
    from tracker.stores.webhooks import Delivery, WebhookStore

_Format, _Signature = webhook_pb.WebhookFormat, webhook_pb.WebhookSignature
_FORMATS = frozenset(each for each in _Format if each)
_OVERLAP = DAY


class WebhookService:
    """Answers `tracker.webhook.v1alpha1.WebhookService`; `changed` is called when there is more to send."""

    def __init__(
        self, store: WebhookStore, context: Context, targets: Targets, changed: Callable[[], None]
    ) -> None:
        self._store = store
        self._context = context
        self._targets = targets
        self._changed = changed

    async def list_webhooks(
        self, request: webhook_pb.ListWebhooksRequest, call: Call
    ) -> webhook_pb.ListWebhooksResponse:
        query = own("webhooks", call)
        cursor = parse_page_token(request.page_token, query)
        found = sorted((each.record for each in await self._store.find()), key=attrgetter("name", "id"))
        webhooks, rest = fitting(found, cursor, answer_bytes(call))
        return webhook_pb.ListWebhooksResponse(
            webhooks=list(webhooks), next_page_token=page_token(rest, query)
        )

    async def get_webhook(
        self, request: webhook_pb.GetWebhookRequest, _call: Call
    ) -> webhook_pb.GetWebhookResponse:
        return webhook_pb.GetWebhookResponse(webhook=(await self._stored(request.id)).record)

    async def create_webhook(
        self, request: webhook_pb.CreateWebhookRequest, call: Call
    ) -> webhook_pb.CreateWebhookResponse:
        now = timestamp(self._context.now())
        record = webhook_pb.Webhook(
            id=self._context.new_id(),
            signature=request.signature if request.signature is _Signature.ed25519 else _Signature.hmac,
            created_by=call.principal.id,
            created_at=now,
        )
        await self._describe(record, request, call)
        target = await self._targets.of(record, request.url.strip(), request.token)
        record.url = target.shown
        stored = _with_secrets(record, (SigningSecret(new_key()),))._replace(credentials=target.credentials)
        await self._store.create(stored)
        self._context.report(call, "webhook created", id=record.id, name=record.name)
        secret = "" if record.format in FOR_PEOPLE else shown_secret(stored.secrets[0].key, record.signature)
        return webhook_pb.CreateWebhookResponse(webhook=stored.record, secret=secret)

    async def update_webhook(
        self, request: webhook_pb.UpdateWebhookRequest, call: Call
    ) -> webhook_pb.UpdateWebhookResponse:
        described = webhook_pb.Webhook(disabled=request.disabled)
        await self._describe(described, request, call)
        before = await self._stored(request.id)
        target = await self._targets.changed(before, described, request.url.strip(), request.token)

        def replace(stored: StoredWebhook) -> StoredWebhook:
            old, new = stored.record, copy.copy(described)
            new.url = target.shown
            new.id, new.signature, new.public_keys = old.id, old.signature, list(old.public_keys)
            new.created_by, new.created_at = old.created_by, old.created_at
            if new.disabled:
                new.disabled_reason = old.disabled_reason
            return stored._replace(record=new, credentials=target.credentials)

        webhook = await self._modify(request.id, replace)
        self._context.report(call, "webhook updated", id=webhook.record.id, name=webhook.record.name)
        return webhook_pb.UpdateWebhookResponse(webhook=webhook.record)

    async def rotate_webhook_secret(
        self, request: webhook_pb.RotateWebhookSecretRequest, call: Call
    ) -> webhook_pb.RotateWebhookSecretResponse:
        now, key = self._context.now(), new_key()
        until = now + (_OVERLAP if request.overlap is None else duration_micros(request.overlap))

        def rotate(stored: StoredWebhook) -> StoredWebhook:
            kept = (each._replace(until=min(each.until, until)) for each in stored.secrets)
            valid = (each for each in kept if each.until > now)
            record = copy.copy(stored.record)
            record.updated_at = timestamp(now)
            return _with_secrets(record, (SigningSecret(key), *valid))

        webhook = await self._modify(request.id, rotate)
        self._context.report(call, "webhook secret rotated", id=webhook.record.id, name=webhook.record.name)
        secret = shown_secret(key, webhook.record.signature)
        return webhook_pb.RotateWebhookSecretResponse(webhook=webhook.record, secret=secret)

    async def delete_webhook(
        self, request: webhook_pb.DeleteWebhookRequest, call: Call
    ) -> webhook_pb.DeleteWebhookResponse:
        if not await self._store.delete(request.id.lower()):
            raise _not_found(request.id)
        self._context.report(call, "webhook deleted", id=request.id)
        return webhook_pb.DeleteWebhookResponse()

    async def test_webhook(
        self, request: webhook_pb.TestWebhookRequest, call: Call
    ) -> webhook_pb.TestWebhookResponse:
        webhook = (await self._stored(request.id)).record
        now = self._context.now()
        event = event_pb.Event(
            title="test of a webhook",
            attributes=event_pb.EventAttributes(message="This is not an event.", source="tracker"),
            metadata=event_pb.EventMetadata(id=self._context.new_id(), created_at=timestamp(now)),
        )
        delivery = message(f"msg_{self._context.new_id().replace('-', '')}", webhook, TEST, now, event)
        await self._store.add([delivery])
        self._changed()
        self._context.report(call, "webhook tested", id=webhook.id, name=webhook.name, delivery=delivery.id)
        return webhook_pb.TestWebhookResponse(delivery=_message(delivery))

    async def list_webhook_deliveries(
        self, request: webhook_pb.ListWebhookDeliveriesRequest, call: Call
    ) -> webhook_pb.ListWebhookDeliveriesResponse:
        webhook = (await self._stored(request.id)).record
        query = own(f"deliveries {json.dumps([webhook.id, int(request.state)])}", call)
        cursor = parse_page_token(request.page_token, query)
        after = None if cursor is None else Place(int(cursor[0]), str(cursor[1]))
        most = request.limit or DEFAULT_PER_PAGE
        wanted = DeliveryFilter(webhook.id, state=int(request.state))
        found = await self._store.list(wanted, after, most + 1)
        page = found[:most]
        rest = Place(page[-1].created_at, page[-1].id) if len(found) > most else None
        return webhook_pb.ListWebhookDeliveriesResponse(
            deliveries=[_message(each) for each in page], next_page_token=page_token(rest, query)
        )

    async def replay_webhook_deliveries(
        self, request: webhook_pb.ReplayWebhookDeliveriesRequest, call: Call
    ) -> webhook_pb.ReplayWebhookDeliveriesResponse:
        webhook = (await self._stored(request.id)).record
        any_time = request.since is None and request.until is None
        wanted = DeliveryFilter(
            webhook.id,
            ids=tuple(request.delivery_ids) or None,
            state=DeliveryState.FAILED if any_time and not request.delivery_ids else 0,
            since=0 if request.since is None else micros(request.since),
            until=FOREVER if request.until is None else micros(request.until),
        )
        count = await self._store.replay(wanted, self._context.now())
        self._changed()
        self._context.report(call, "webhook messages sent again", id=webhook.id, messages=count)
        return webhook_pb.ReplayWebhookDeliveriesResponse(count=count)

    async def _describe(
        self,
        record: webhook_pb.Webhook,
        request: webhook_pb.CreateWebhookRequest | webhook_pb.UpdateWebhookRequest,
        call: Call,
    ) -> None:
        """Set what a request says of a webhook, and narrow it to what the caller may read.

        Raises:
            TrackerError: The caller may read no events, or the query is wrong.
        """
        if not call.principal.may(Permission.EVENT_READ):
            raise permission_required(call.principal, Permission.EVENT_READ)
        record.name, record.query = request.name.strip(), request.query
        record.changes = sorted({each for each in request.changes if each})
        record.format = request.format if request.format in _FORMATS else _Format.native
        record.notification = told(request.notification, record.format)
        record.updated_at = timestamp(self._context.now())
        record.scopes = [
            webhook_pb.WebhookScope(
                services=list(each.services), environments=list(each.environments), teams=list(each.teams)
            )
            for each in call.principal.scopes(Permission.EVENT_READ) or ()
        ]
        query_of(record, self._context.query_clock())

    async def _stored(self, webhook_id: str) -> StoredWebhook:
        wanted = webhook_id.lower()
        found = next((each for each in await self._store.find() if each.record.id == wanted), None)
        if found is None:
            raise _not_found(webhook_id)
        return found

    async def _modify(
        self, webhook_id: str, change: Callable[[StoredWebhook], StoredWebhook]
    ) -> StoredWebhook:
        webhook = await self._store.modify(webhook_id.lower(), change)
        if webhook is None:
            raise _not_found(webhook_id)
        self._changed()
        return webhook


def _with_secrets(record: webhook_pb.Webhook, secrets: tuple[SigningSecret, ...]) -> StoredWebhook:
    """Return a webhook with other secrets; it shows the public keys of some."""
    if record.signature is _Signature.ed25519:
        record.public_keys = [public_key(each.key) for each in secrets]
    return StoredWebhook(record, secrets)


def _message(delivery: Delivery) -> webhook_pb.WebhookDelivery:
    return webhook_pb.WebhookDelivery(
        id=delivery.id,
        type=delivery.type,
        event_id=delivery.event,
        created_at=timestamp(delivery.created_at),
        state=webhook_pb.WebhookDelivery.State(delivery.state),
        attempts=delivery.attempts,
        next_attempt_at=timestamp(delivery.next_at) if delivery.next_at else None,
        last_attempt_at=timestamp(delivery.last_at) if delivery.last_at else None,
        last_status=delivery.last_status,
        last_error=delivery.last_error,
    )


def _not_found(webhook_id: str) -> TrackerError:
    return TrackerError(Reason.WEBHOOK_NOT_FOUND, f"no webhook found in tracker for id {webhook_id}")
