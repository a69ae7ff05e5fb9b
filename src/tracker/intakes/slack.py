"""Buttons of messages in Slack: https://docs.slack.dev/interactivity/handling-user-interaction.

Slack signs what it sends: https://docs.slack.dev/authentication/verifying-requests-from-slack. Whoever
presses a button has the permissions of the user of Tracker that `SLACK_USERS` names, or of anybody.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qs

from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import HttpRoute, unknown_path
from tracker.domain.deployments import decided
from tracker.domain.events import attributes_of
from tracker.errors import Reason, TrackerError
from tracker.intakes.requests import json_object, part, refused, text
from tracker.pb import event_pb, lock_pb
from tracker.pb.options import name_if_set
from tracker.services.webhooks.slack import APPROVE, REJECT, RELEASE, escaped
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.api.routes import HttpRequest
    from tracker.api.rpcs import Rpcs
    from tracker.domain.access import Principal
    from tracker.services.context import Call
    from tracker.services.webhooks.channels import Http

PATH: Final = "/api/v1alpha1/integrations/slack/interactions"
REPLAY_SECONDS: Final = 5 * 60
"""How old a request may be, as Slack recommends."""

_TOLD_SECONDS: Final = 2.0  # Slack waits for 3
_ANSWERS_AT: Final = "https://hooks.slack.com/"
_LONGEST_NAME: Final = 200
_APPROVALS: Final = {APPROVE: event_pb.ChangeType.approved, REJECT: event_pb.ChangeType.rejected}


class People(Protocol):
    """Knows the users of Tracker."""

    def principal_named(self, username: str) -> Principal | None:
        """Return the principal of a user who may log in, or None."""


@dataclass(frozen=True, slots=True)
class SlackInteractions:
    """Does what the buttons of messages say: approves and rejects events, and releases their locks.

    `_now` returns microseconds since the epoch, `_users` are users of Tracker by ids of Slack.
    """

    _rpcs: Rpcs
    _secret: str | None
    _users: Mapping[str, str]
    _people: People
    _http: Http
    _now: Callable[[], int]

    def routes(self) -> Sequence[HttpRoute]:
        """Return the route that Slack sends to."""
        return (HttpRoute("POST", PATH, self._answer, None, Limits(body_bytes=100_000), takes_forms=True),)

    async def _answer(self, request: HttpRequest, call: Call) -> HttpResponse:
        if not self._secret:
            raise unknown_path()
        if not is_signed(self._secret, request.body, call.headers, self._now() // MICROS):
            raise TrackerError(Reason.INVALID_CREDENTIALS, "invalid or old signature")
        pressed = _payload(request.body)
        user = part(pressed, "user")
        try:
            for action in pressed.get("actions") or ():
                if isinstance(action, dict):
                    await self._do(action, user, request.body, call)
        except TrackerError as error:
            await self._tell(text(pressed, "response_url"), f"Not done: {error.message}")
        return HttpResponse(b"", ())

    async def _do(self, action: Mapping[str, Any], user: Mapping[str, Any], body: bytes, call: Call) -> None:
        name, event_id = text(action, "action_id"), text(action, "value")
        if name not in {*_APPROVALS, RELEASE} or not event_id:
            return
        who = (text(user, "username") or text(user, "name") or text(user, "id"))[:_LONGEST_NAME]
        username = self._users.get(text(user, "id"))
        if username is not None:
            principal = self._people.principal_named(username)
            if principal is None:
                message = f"SLACK_USERS names {username}, who can't log in"
                raise TrackerError(Reason.PERMISSION_REQUIRED, message)
            call.principal = principal
        key = hashlib.sha256(b"slack:" + name.encode() + body).hexdigest()
        if name == RELEASE:
            await self._release(event_id, who, key, call)
        else:
            await self._decide(event_id, name, who, key, call)

    async def _decide(self, event_id: str, name: str, who: str, key: str, call: Call) -> None:
        """Approve or reject an event: what is rejected is closed, what waits for approval is planned then."""
        entry = event_pb.ChangelogEntry(user=who, change_type=_APPROVALS[name], comment="in Slack")
        asked = event_pb.AddChangelogEntryRequest(id=event_id, entry=entry)
        answer = await self._rpcs.change(asked, event_pb.AddChangelogEntryResponse, call, key)
        after = decided(attributes_of(answer.event or event_pb.Event()).status, _APPROVALS[name])
        if after is not None:
            change = event_pb.UpdateEventRequest(
                id=event_id, attributes=event_pb.EventAttributes(status=after), merge=True, who=who
            )
            await self._rpcs.change(change, event_pb.UpdateEventResponse, call, f"{key}status")

    async def _release(self, event_id: str, who: str, key: str, call: Call) -> None:
        """Release the locks of an event, by force: the button has no token."""
        asked = event_pb.GetEventRequest(id=event_id)
        attributes = attributes_of(
            (await self._rpcs.ask(asked, event_pb.GetEventResponse, call)).event or event_pb.Event()
        )
        place = name_if_set(attributes.environment)
        wanted = lock_pb.ListLocksRequest(service=attributes.service, environment=place)
        listed = await self._rpcs.ask(wanted, lock_pb.ListLocksResponse, call)
        held = [each for each in listed.locks if each.event_id == event_id]
        if not held:
            raise TrackerError(Reason.LOCK_NOT_FOUND, "the event holds no lock")
        for lock in held:
            release = lock_pb.UnLockRequest(id=lock.id, force=True, reason="released in Slack", who=who)
            await self._rpcs.change(release, lock_pb.UnLockResponse, call, f"{key}{lock.id}")

    async def _tell(self, address: str, told: str) -> None:
        """Tell whoever pressed a button, and nobody else; whether that succeeds changes nothing."""
        if not address.startswith(_ANSWERS_AT):
            return
        said = {"response_type": "ephemeral", "replace_original": False, "text": escaped(told)}
        with suppress(TimeoutError, *self._http.errors):
            async with asyncio.timeout(_TOLD_SECONDS):
                await self._http.request(
                    "POST", address, {"content-type": "application/json"}, json.dumps(said).encode()
                )


def is_signed(secret: str, body: bytes, headers: Mapping[str, str], now: int) -> bool:
    """Return whether a request is from who has the secret, and was made minutes before `now` (seconds)."""
    sent_at = headers.get("x-slack-request-timestamp", "")
    wanted = hmac.new(secret.encode(), f"v0:{sent_at}:".encode("latin-1") + body, hashlib.sha256).hexdigest()
    given = headers.get("x-slack-signature", "")
    same = hmac.compare_digest(given.encode("latin-1"), f"v0={wanted}".encode())
    is_number = sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= len(str(now)) + 1
    return same and is_number and abs(now - int(sent_at)) <= REPLAY_SECONDS


def _payload(body: bytes) -> dict[str, Any]:
    try:
        found = parse_qs(body, max_num_fields=10).get(b"payload", [b""])[0]
    except ValueError:
        raise refused("payload", "expected a form") from None
    return json_object(found)


def users_by_slack_id(pairs: Sequence[str]) -> Mapping[str, str]:
    """Return users of Tracker by the ids in texts such as `U024BE7LH=alice`."""
    divided = (pair.partition("=") for pair in pairs)
    return {slack_id.strip(): username.strip() for slack_id, _, username in divided}
