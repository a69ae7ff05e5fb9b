"""The `http` backend of Terraform and OpenTofu: https://developer.hashicorp.com/terraform/language/backend/http."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import HttpResponse, json_response
from tracker.api.routes import HttpRoute
from tracker.domain.terraform import RESOURCE, state_key
from tracker.domain.times import shown
from tracker.errors import Reason, TrackerError
from tracker.intakes.requests import LONGEST, json_object, number, parameters, refused, text
from tracker.pb import lock_pb
from tracker.permissions import Permission
from tracker.services.locks.reporter import shown_to

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.api.routes import HttpRequest
    from tracker.api.rpcs import Rpcs
    from tracker.domain.terraform import StateKey
    from tracker.services.context import Call
    from tracker.services.terraform import TerraformService

_LOCK_LIMITS: Final = Limits(body_bytes=65_536)
_SECONDS: Final = 120.0
_LOCK_ID: Final = "terraform_lock"
"""The label with the SHA-256 of the id that Terraform gave a lock."""
_LATEST_NUMBER: Final = 2**63 - 1
_NOT_HELD: Final = "the lock was released by force or has expired"
_ENDED: Final = frozenset({Reason.LOCK_LOST, Reason.LOCK_NOT_FOUND, Reason.LOCK_TOKEN_MISMATCH})
_HELD: Final = frozenset({Reason.LOCK_HELD, Reason.LOCK_DELAY, Reason.LOCK_TOKEN_USED})


class TerraformBackend:
    """Reads, writes and locks states for Terraform."""

    def __init__(self, rpcs: Rpcs, states: TerraformService, largest: int) -> None:
        """Take states of up to `largest` bytes."""
        self._rpcs = rpcs
        self._states = states
        self._largest = largest

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the backend."""
        large = Limits(body_bytes=self._largest, seconds=_SECONDS)
        return [
            HttpRoute(verb, path, partial(_refused_in_its_form, handler), permission, limits)
            for path in ("/terraform/{service}", "/terraform/{service}/{environment}")
            for verb, handler, permission, limits in (
                ("GET", self._read, Permission.STATE_READ, large),
                ("POST", self._write, Permission.STATE_WRITE, large),
                ("DELETE", self._delete, Permission.STATE_WRITE, _LOCK_LIMITS),
                ("LOCK", self._lock, Permission.LOCK_WRITE, _LOCK_LIMITS),
                ("UNLOCK", self._unlock, Permission.LOCK_WRITE, _LOCK_LIMITS),
            )
        ]

    async def _read(self, request: HttpRequest, call: Call) -> HttpResponse:
        version = parameters(request.query).get("version")
        wanted = number("version", version, _LATEST_NUMBER) if version else 0
        content = await self._states.read(_key(request), wanted, call)
        if content is None:
            raise TrackerError(Reason.STATE_NOT_FOUND, f"there is no state {_key(request).id}")
        headers = [("content-type", "application/json"), ("cache-control", "no-store")]
        return HttpResponse(content, headers)

    async def _write(self, request: HttpRequest, call: Call) -> HttpResponse:
        key, given = _key(request), call.headers.get("content-md5")
        digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
        if given and given != digest:
            raise refused("Content-MD5", "the body is not what was sent")
        call.require(Permission.STATE_WRITE, *key)
        lock = await self._lock_of(request, key, call)
        version = await self._states.write(key, request.body, lock, call)
        return json_response({"version": version.number})

    async def _delete(self, request: HttpRequest, call: Call) -> HttpResponse:
        key = _key(request)
        call.require(Permission.STATE_WRITE, *key)
        await self._states.delete(key, await self._lock_of(request, key, call), call)
        return json_response({})

    async def _lock_of(self, request: HttpRequest, key: StateKey, call: Call) -> lock_pb.Lock | None:
        """Return the lock under which a request is made: that which it names, or None if none is held.

        Raises:
            _LockedError: Another lock is held, or that which it names no longer.
        """
        holder, given = await self._states.holder(key), parameters(request.query).get("ID", "")
        if holder is None and given:
            raise _LockedError(None, HTTPStatus.CONFLICT, _NOT_HELD)
        if holder is not None and not _is_of(holder, given):
            status = HTTPStatus.CONFLICT if given else HTTPStatus.LOCKED
            raise _LockedError(shown_to(call, holder), status)
        return holder

    async def _lock(self, request: HttpRequest, call: Call) -> HttpResponse:
        key, info = _key(request), json_object(request.body)
        lock_id, operation = text(info, "ID"), text(info, "Operation").removeprefix("OperationType").lower()
        if not lock_id:
            raise refused("ID", "expected a text")
        asked = lock_pb.CreateLockRequest(
            service=key.service,
            environment=key.environment,
            resource=RESOURCE,
            who=text(info, "Who")[:LONGEST],
            reason=" ".join(filter(None, ("terraform", operation, text(info, "Info"))))[:2000],
            lock_token=_token(lock_id),
            labels={_LOCK_ID: _digest(lock_id), "terraform_version": text(info, "Version")[:LONGEST]},
        )
        try:
            taken = await self._rpcs.change(asked, lock_pb.CreateLockResponse, call, "")
        except TrackerError as error:
            if error.reason not in _HELD:
                raise
            holder = await self._states.holder(key)
            known = None if holder is None else shown_to(call, holder)
            raise _LockedError(known, HTTPStatus.LOCKED, error.message) from None
        if taken.lock is not None:
            await self._states.locked(key, taken.lock)
        return json_response({})

    async def _unlock(self, request: HttpRequest, call: Call) -> HttpResponse:
        """Release the lock that a request names; one without a body releases whichever is held, by force."""
        key = _key(request)
        call.require(Permission.LOCK_WRITE, *key)
        lock_id = text(json_object(request.body), "ID") if request.body.strip() else ""
        holder = await self._states.holder(key)
        if holder is not None and lock_id and not _is_of(holder, lock_id):
            raise _LockedError(shown_to(call, holder), HTTPStatus.CONFLICT)
        if holder is not None and not lock_id:
            asked = lock_pb.UnLockRequest(id=holder.id, force=True, reason="terraform force-unlock")
            await self._rpcs.change(asked, lock_pb.UnLockResponse, call, "")
        elif lock_id:  # of a lock that has ended too: Terraform asks again if an answer got lost
            last = holder.id if holder is not None else await self._states.last_lock(key)
            await self._release(last, lock_id, call)
        return json_response({})

    async def _release(self, last: str, lock_id: str, call: Call) -> None:
        if not last:
            raise _LockedError(None, HTTPStatus.CONFLICT, _NOT_HELD)
        asked = lock_pb.UnLockRequest(id=last, lock_token=_token(lock_id))
        try:
            await self._rpcs.change(asked, lock_pb.UnLockResponse, call, "")
        except TrackerError as error:
            if error.reason not in _ENDED:
                raise
            raise _LockedError(None, HTTPStatus.CONFLICT, _NOT_HELD) from None


class _LockedError(Exception):
    """A state is locked by another, or no longer by the caller."""

    def __init__(self, holder: lock_pb.Lock | None, status: HTTPStatus, message: str = "") -> None:
        self.holder = holder
        self.status = status
        self.message = message


async def _refused_in_its_form(
    handler: Any,  # noqa: ANN401 - a method of the backend
    request: HttpRequest,
    call: Call,
) -> HttpResponse:
    """Answer a request; Terraform shows no more of a refusal than the `ID` of the holder's lock."""
    try:
        response: HttpResponse = await handler(request, call)
    except _LockedError as error:
        return json_response(_lock_info(error, _key(request)), error.status)
    return response


def _lock_info(error: _LockedError, key: StateKey) -> Mapping[str, str]:
    """Return the holder of a lock in Terraform's form, without the id that would release it."""
    holder = error.holder
    if holder is None:
        return {"ID": error.message, "Path": key.id}
    since = "" if holder.created_at is None else shown(holder.created_at)
    who = holder.who or "somebody"
    return {
        "ID": f"{holder.id}, held by {who} since {since} for {holder.reason or 'no stated reason'}",
        "Operation": holder.reason,
        "Who": who,
        "Version": holder.labels.get("terraform_version", ""),
        "Created": since,
        "Path": key.id,
    }


def _key(request: HttpRequest) -> StateKey:
    service, environment = (*request.captures, "")[:2]
    return state_key(service, environment)


def _digest(lock_id: str) -> str:
    return hashlib.sha256(lock_id.encode()).hexdigest()


def _token(lock_id: str) -> str:
    """Return the token of a lock: what proves that Terraform made its id, whatever characters that has."""
    return hashlib.sha256(f"terraform {lock_id}".encode()).hexdigest()


def _is_of(lock: lock_pb.Lock, lock_id: str) -> bool:
    return hmac.compare_digest(lock.labels.get(_LOCK_ID, ""), _digest(lock_id))
