"""States of Terraform: the RPCs, and what its `http` backend reads and writes."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from tracker.domain.terraform import (
    empty_state,
    restored,
    state_key,
    version_of,
    with_token,
    with_version,
)
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import event_pb, terraform_pb
from tracker.pb.options import number_named
from tracker.permissions import Permission
from tracker.services.context import Call
from tracker.services.locks.reporter import lock_held, shown_to
from tracker.services.narrowing import may_touch, require_change
from tracker.services.paging import (
    DEFAULT_PER_PAGE,
    note_short_page,
    own,
    page_token,
    page_within,
    requested_page,
)
from tracker.stores.pages import Page
from tracker.stores.terraform import parts_of
from tracker.traces import HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.domain.terraform import StateKey
    from tracker.pb import lock_pb
    from tracker.services.context import Context
    from tracker.services.events.changes import EventChanges
    from tracker.stores.locks import LockStore
    from tracker.stores.terraform import TerraformStore

_COMPRESSION: Final = 3


class StateContent(NamedTuple):
    """The content of a state as Terraform sent it, and the version that describes it."""

    compressed: bytes
    version: terraform_pb.StateVersion


@dataclass(frozen=True, slots=True)
class TerraformService:
    """Answers `tracker.terraform.v1alpha1.TerraformService`, and stores what the `http` backend sends.

    `_kept` versions of a state are kept. Each change is an event, if the caller may record one.
    """

    _store: TerraformStore
    _locks: LockStore
    _events: EventChanges
    _context: Context
    _kept: int

    async def list_states(
        self, request: terraform_pb.ListStatesRequest, call: Call
    ) -> terraform_pb.ListStatesResponse:
        query = own("states", call)
        page = requested_page(request, query, default=DEFAULT_PER_PAGE)
        if call.principal.scopes(Permission.STATE_READ) is None:
            found = await self._store.find(page)
        else:
            within = partial(may_touch, call, Permission.STATE_READ)
            found = page_within((await self._store.find(Page())).records, page, within, lambda s: (s.id,))
        note_short_page(request, page, found, call)
        for state in found.records:
            state.versions = state.versions[:1]
        token = page_token(found.next, query)
        return terraform_pb.ListStatesResponse(
            states=list(found.records), total_count=found.total, next_page_token=token
        )

    async def list_state_versions(
        self, request: terraform_pb.ListStateVersionsRequest, call: Call
    ) -> terraform_pb.ListStateVersionsResponse:
        state = await self._state(state_key(request.service, request.environment), call)
        return terraform_pb.ListStateVersionsResponse(versions=state.versions)

    async def restore_state_version(
        self, request: terraform_pb.RestoreStateVersionRequest, call: Call
    ) -> terraform_pb.RestoreStateVersionResponse:
        key = state_key(request.service, request.environment)
        call.require(Permission.STATE_WRITE, *key)
        stored = await self._store.get(key.id)
        if stored is None:
            raise _not_found(key)
        await self.require_unlocked(key, call)
        now = self._context.now()

        def change(state: terraform_pb.State | None) -> terraform_pb.State:
            version = None if state is None else version_of(state, request.number)
            if state is None or version is None:
                raise _not_found(key, request.number)
            again = restored(version, call.principal.known_id)
            return with_version(state, again, now, token=stored.fencing_token, kept=self._kept)

        state = await self._store.modify(key.id, change, once=call.once(_restored))
        self._context.report(call, "state restored", state=key.id, version=request.number)
        await self._record(key, f"went back to version {request.number}", state.versions[0], None, call)
        return _restored(state)

    async def read(self, key: StateKey, number: int, call: Call) -> bytes | None:
        """Return the content of a version of a state, 0 for the current one; None if there is none.

        Raises:
            TrackerError: UNAUTHENTICATED or PERMISSION_DENIED.
        """
        call.require(Permission.STATE_READ, *key)
        state = await self._store.get(key.id)
        version = None if state is None else version_of(state, number)
        if version is None:
            return None
        call.answer.hold(version.size)
        compressed = await self._store.content(version.content_id)
        return None if compressed is None else await asyncio.to_thread(zlib.decompress, compressed)

    async def write(
        self, key: StateKey, content: bytes, lock: lock_pb.Lock | None, call: Call
    ) -> terraform_pb.StateVersion:
        """Store a new version of a state, under a lock or, where none is held, without one; return it.

        Raises:
            TrackerError: UNAUTHENTICATED or PERMISSION_DENIED; INVALID_ARGUMENT, it is not a state; ABORTED
                if the state was locked by another since.
        """
        call.require(Permission.STATE_WRITE, *key)
        known = await self._store.get(key.id)
        token = (0 if known is None else known.fencing_token) if lock is None else lock.fencing_token
        compressed, version = await asyncio.to_thread(_content, content)
        version.content_id = self._context.new_id()
        if call.principal.known_id:
            version.created_by = call.principal.known_id
        now = self._context.now()

        def change(state: terraform_pb.State | None) -> terraform_pb.State:
            return with_version(state or empty_state(key), version, now, token=token, kept=self._kept)

        change(known)
        state = await self._store.modify(
            key.id, change, parts_of(key.id, version.content_id, now, compressed)
        )
        self._context.report(call, "state written", state=key.id, version=state.versions[0].number)
        by = "" if lock is None else f" by {lock.reason}"
        what = f"changed{by}: {version.resource_count} resources"
        await self._record(key, what, state.versions[0], lock, call)
        return state.versions[0]

    async def locked(self, key: StateKey, lock: lock_pb.Lock) -> None:
        """Refuse, from now on, what the holders of earlier locks of a state send."""
        await self._store.modify(
            key.id, lambda state: with_token(state or empty_state(key), lock.fencing_token, lock.id)
        )

    async def last_lock(self, key: StateKey) -> str:
        """Return the id of the last lock of a state, or nothing."""
        state = await self._store.get(key.id)
        return "" if state is None else state.lock_id

    async def delete(self, key: StateKey, lock: lock_pb.Lock | None, call: Call) -> None:
        """Delete a state with all its versions, if there is one.

        Raises:
            TrackerError: UNAUTHENTICATED or PERMISSION_DENIED; ABORTED if another has locked it since.
        """
        call.require(Permission.STATE_WRITE, *key)
        known = await self._store.get(key.id)
        token = (0 if known is None else known.fencing_token) if lock is None else lock.fencing_token

        def check(state: terraform_pb.State) -> None:
            require_change(call, Permission.STATE_WRITE, state)
            if state.fencing_token > token:
                raise TrackerError(Reason.LOCK_LOST, f"the state {key.id} was locked by another since")

        if await self._store.delete(key.id, check):
            self._context.report(call, "state deleted", state=key.id)
            now = timestamp(self._context.now())
            await self._record(key, "deleted", terraform_pb.StateVersion(created_at=now), lock, call)

    async def _record(
        self,
        key: StateKey,
        what: str,
        version: terraform_pb.StateVersion,
        lock: lock_pb.Lock | None,
        call: Call,
    ) -> None:
        """Record that a state has changed: one event for all that is written under a lock."""
        if not call.principal.may_touch(Permission.EVENT_WRITE, *key):
            return
        environment = number_named(event_pb.Environment.desc(), key.environment) if key.environment else 0
        labels = {
            "state": key.id,
            "state_version": str(version.number or ""),
            "serial": str(version.serial or ""),
            "terraform_version": version.terraform_version,
            "environment": "" if environment else key.environment,
        }
        attributes = event_pb.EventAttributes(
            type=event_pb.Type.operation,
            status=event_pb.Status.done,
            source="terraform",
            external_id="" if lock is None else lock.id,
            service=key.service,
            environment=event_pb.Environment(environment or 0),
            owner="" if lock is None else lock.who,
            start_date=None if lock is None else lock.created_at,
            end_date=None if lock is None else version.created_at,
            labels={name: of for name, of in labels.items() if of},
        )
        asked = event_pb.CreateEventRequest(title=f"State {key.id} {what}"[:500], attributes=attributes)
        headers = {HEADER: call.headers[HEADER]} if HEADER in call.headers else {}
        inner = Call(call.wire, call.request_id, call.peer, headers, call.timeout)
        inner.principal, inner.answer, inner.session, inner.did = (
            call.principal,
            call.answer,
            call.session,
            call.did,
        )
        await self._events.create_event(asked, inner)

    async def holder(self, key: StateKey) -> lock_pb.Lock | None:
        """Return the lock that is held on a state, or None."""
        holder = await self._locks.holder(key.lock)
        return None if holder is None or holder.expired_at is not None else holder

    async def require_unlocked(self, key: StateKey, call: Call) -> None:
        """Return if nobody holds the lock of a state.

        Raises:
            TrackerError: ALREADY_EXISTS, with the holder as the caller may see it.
        """
        holder = await self.holder(key)
        if holder is not None:
            raise lock_held(shown_to(call, holder))

    async def _state(self, key: StateKey, call: Call) -> terraform_pb.State:
        state = await self._store.get(key.id)
        if state is None or not may_touch(call, Permission.STATE_READ, state):
            raise _not_found(key)
        return state


def _restored(state: terraform_pb.State) -> terraform_pb.RestoreStateVersionResponse:
    return terraform_pb.RestoreStateVersionResponse(version=state.versions[0])


def _not_found(key: StateKey, number: int = 0) -> TrackerError:
    version = f" with a version {number}" if number else ""
    return TrackerError(Reason.STATE_NOT_FOUND, f"there is no state {key.id}{version}")


def _content(content: bytes) -> StateContent:
    """Return a content compressed, and what it says of itself.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is not a state.
    """
    try:
        state = orjson.loads(content)
    except orjson.JSONDecodeError:
        state = None
    if not isinstance(state, dict):
        raise invalid(FieldViolation("", "expected a state of Terraform, which is a JSON object"))
    resources = state.get("resources")
    version = terraform_pb.StateVersion(
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        serial=_serial(state),
        lineage=str(state.get("lineage") or "")[:200],
        terraform_version=str(state.get("terraform_version") or "")[:200],
        resource_count=len(resources) if isinstance(resources, list) else 0,
    )
    return StateContent(zlib.compress(content, _COMPRESSION), version)


def _serial(state: Mapping[str, Any]) -> int:
    serial = state.get("serial")
    return serial if isinstance(serial, int) and not isinstance(serial, bool) and 0 <= serial < 1 << 63 else 0
