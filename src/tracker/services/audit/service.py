"""The audit service: entries of the audit log, checkpoints, and erasures."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from tracker.audit.chain import AUDIT, ERASED, SALT_BYTES, Checkpoint, checkpoint_in, commitment
from tracker.domain.audit import erased, mentions
from tracker.domain.times import micros, nearest_timestamp
from tracker.pb import audit_pb
from tracker.services.paging import DEFAULT_PER_PAGE, page_token, parse_page_token
from tracker.stores.audit import AuditFilter, Contents
from tracker.stores.changes import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.audit.chain import Entry
    from tracker.services.audit.recorder import AuditRecorder
    from tracker.services.context import Call, Context
    from tracker.stores.audit import AuditStore

_ERASED_AT_ONCE = 200


class AuditService:
    """Answers `tracker.audit.v1alpha1.AuditService`."""

    def __init__(self, store: AuditStore, recorder: AuditRecorder, context: Context) -> None:
        self._store = store
        self._recorder = recorder
        self._context = context

    async def list_audit_entries(
        self, request: audit_pb.ListAuditEntriesRequest, _call: Call
    ) -> audit_pb.ListAuditEntriesResponse:
        wanted = AuditFilter(
            record=request.record,
            record_id=request.record_id,
            mentions=mentions(request.mentions) if request.mentions else (),
        )
        if request.since is not None:
            wanted = wanted._replace(since=micros(request.since))
        if request.until is not None:
            wanted = wanted._replace(until=micros(request.until))
        query = f"audit {request.newest_first} {json.dumps(wanted)}"
        cursor = parse_page_token(request.page_token, query)
        if cursor is not None:
            place = int(cursor[0])
            wanted = wanted._replace(before=place) if request.newest_first else wanted._replace(after=place)
        most = request.limit or DEFAULT_PER_PAGE
        page = await self._store.read(wanted, most, newest_first=request.newest_first)
        rest = (page.entries[-1].number,) if page.more else None
        return audit_pb.ListAuditEntriesResponse(
            entries=[_message(each) for each in page.entries], next_page_token=page_token(rest, query)
        )

    async def create_audit_checkpoint(
        self, _request: audit_pb.CreateAuditCheckpointRequest, call: Call
    ) -> audit_pb.CreateAuditCheckpointResponse:
        entry = await self._recorder.checkpoint()
        signed = None if entry is None else checkpoint_in(entry)
        found = signed or Checkpoint(0, "", self._recorder.public_key, "")
        self._context.report(call, "audit checkpoint created", entry=found.number)
        return audit_pb.CreateAuditCheckpointResponse(**found._asdict())

    async def erase_audit_value(
        self, request: audit_pb.EraseAuditValueRequest, call: Call
    ) -> audit_pb.EraseAuditValueResponse:
        count = await self.erase(request.value, call)
        self._context.report(call, "audit value erased", entries=count)
        return audit_pb.EraseAuditValueResponse(entries=count)

    async def mentioning(self, value: str) -> int:
        """Count the entries that mention a value."""
        wanted, count, more = AuditFilter(mentions=mentions(value)), 0, True
        while more:
            page = await self._store.read(wanted, _ERASED_AT_ONCE)
            count, more = count + len(_without(value, page.entries)), page.more
            if more:
                wanted = wanted._replace(after=page.entries[-1].number)
        return count

    async def erase(self, value: str, call: Call) -> int:
        """Erase a value from all entries that mention it; return how many do."""
        wanted, count = AuditFilter(mentions=mentions(value)), 0
        who = {
            "principal": call.principal.id,
            **Origin(call.peer, call.request_id, call.user_agent)._asdict(),
        }
        more = True
        while more:
            page = await self._store.read(wanted, _ERASED_AT_ONCE)
            more = page.more
            if more:
                wanted = wanted._replace(after=page.entries[-1].number)
            contents = _without(value, page.entries)
            if contents:
                # Before they are replaced: an entry is valid with its first content, and with these.
                entries = {str(each.number): commitment(each.salt, each.content) for each in contents}
                await self._recorder.record(AUDIT, ERASED, {**who, "entries": entries})
                await self._store.replace(contents)
            count += len(contents)
        return count


def _message(entry: Entry) -> audit_pb.AuditEntry:
    """Return an entry for an answer, one that was damaged too, which its hash shows then."""
    at = nearest_timestamp(entry.at)
    content = entry.content.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return audit_pb.AuditEntry(**entry._asdict() | {"at": at, "content": content})


def _without(value: str, entries: Sequence[Entry]) -> Sequence[Contents]:
    """Return the new contents of those entries that mention a value."""
    contents: list[Contents] = []
    for each in entries:
        left = erased(each.content, value, who_alone=each.record == AUDIT)
        if left != each.content:
            contents.append(Contents(each.number, left, secrets.token_bytes(SALT_BYTES)))
    return contents
