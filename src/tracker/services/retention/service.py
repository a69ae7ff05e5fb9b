"""The retention service: policies, legal holds, and the erasure of persons."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from tracker.domain.events import event_time
from tracker.domain.query.fields import TYPE
from tracker.domain.query.text import to_text
from tracker.domain.retention import due_before, due_filter, new_hold, new_policy, updated_policy
from tracker.domain.times import duration_micros, timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import event_pb, retention_pb
from tracker.services.context import answer_count, answer_with
from tracker.services.paging import own, page_token, parse_page_token
from tracker.services.retention.run_note import RunNote
from tracker.stores.pages import Page, Total
from tracker.time_text import DAY

if TYPE_CHECKING:
    from protobuf.wkt import Duration

    from tracker.domain.query.tree import EventFilter
    from tracker.services.context import Call, Context
    from tracker.services.holds import LegalHolds
    from tracker.services.retention.erasure import PersonEraser
    from tracker.services.retention.sweeper import RetentionSweeper
    from tracker.stores.base import Store

_LEAST_AGE: Final = DAY
_SAMPLE: Final = 10
_SAMPLE_BYTES: Final = 2**20
_USUAL_LIMIT: Final = 1_000
_RUN_SECONDS: Final = 10.0
"""How long a call deletes at most: callers go on with the next page."""


class RetentionService:
    """Answers `tracker.retention.v1alpha1.RetentionService`."""

    def __init__(
        self,
        store: Store,
        holds: LegalHolds,
        sweeper: RetentionSweeper,
        eraser: PersonEraser,
        context: Context,
    ) -> None:
        self._events = store.events
        self._policies = store.policies
        self._stored_holds = store.holds
        self._holds = holds
        self._sweeper = sweeper
        self._eraser = eraser
        self._context = context

    async def create_retention_policy(
        self, request: retention_pb.CreateRetentionPolicyRequest, call: Call
    ) -> retention_pb.CreateRetentionPolicyResponse:
        self._check(request)
        policy = new_policy(
            request, policy_id=self._context.new_id(), now=self._context.now(), principal=call.principal
        )
        await self._policies.create(policy, call.once(_created))
        self._context.report(call, "retention policy created", id=policy.id, name=policy.name)
        return _created(policy)

    async def update_retention_policy(
        self, request: retention_pb.UpdateRetentionPolicyRequest, call: Call
    ) -> retention_pb.UpdateRetentionPolicyResponse:
        self._check(request)
        now = self._context.now()
        policy = await self._policies.modify(
            request.id.lower(), lambda stored: updated_policy(stored, request, now), call.once(_updated)
        )
        if policy is None:
            raise _not_found(request.id)
        self._context.report(call, "retention policy updated", id=policy.id, name=policy.name)
        return _updated(policy)

    async def delete_retention_policy(
        self, request: retention_pb.DeleteRetentionPolicyRequest, call: Call
    ) -> retention_pb.DeleteRetentionPolicyResponse:
        deleted = await self._policies.delete(request.id.lower(), call.once(_deleted))
        if deleted:
            self._context.report(call, "retention policy deleted", id=request.id)
        return _deleted(deleted)

    async def list_retention_policies(
        self, _request: retention_pb.ListRetentionPoliciesRequest, _call: Call
    ) -> retention_pb.ListRetentionPoliciesResponse:
        return retention_pb.ListRetentionPoliciesResponse(policies=[*await self._policies.find()])

    async def preview_retention(
        self, request: retention_pb.PreviewRetentionRequest, _call: Call
    ) -> retention_pb.PreviewRetentionResponse:
        policy = await self._previewed(request)
        before, query = due_before(policy, self._context.now()), self._sweeper.query_of(policy.query)
        due = await self._count(due_filter(query, before, None))
        where = due_filter(query, before, await self._holds.current())
        answer = retention_pb.PreviewRetentionResponse(due=due, held=due, due_before=timestamp(before))
        if where is None:
            return answer
        free, tallies = await self._events.count_by(where, [TYPE], len(event_pb.Type))
        answer.held = max(0, due - free)
        answer.types = {TYPE.choice_name(int(each.value)): each.events for each in tallies[0]}
        page = Page(_SAMPLE, total=Total(free), bytes=_SAMPLE_BYTES)
        answer.events = [*(await self._events.find(where, page, oldest_first=True)).records]
        newest = (await self._events.find(where, Page(1, total=Total(free)))).records
        if answer.events and newest:
            answer.oldest = timestamp(event_time(answer.events[0]))
            answer.newest = timestamp(event_time(newest[0]))
        return answer

    async def run_retention_policy(
        self, request: retention_pb.RunRetentionPolicyRequest, call: Call
    ) -> retention_pb.RunRetentionPolicyResponse:
        policy = await self._policy(request.id)
        query = own(f"due by {policy.id} {policy.query}", call)
        after = parse_page_token(request.page_token, query)
        limit, end = request.limit or _USUAL_LIMIT, monotonic() + _RUN_SECONDS
        answer = retention_pb.RunRetentionPolicyResponse()
        async with RunNote(self._policies, policy.id, self._context, goes_on=after is not None) as note:
            while True:
                swept = await self._sweeper.sweep(policy, after, limit - answer.deleted, note)
                answer.deleted += swept.deleted
                answer.skipped += swept.skipped
                answer.files = [*answer.files, *swept.files]
                after = swept.next
                if after is None or answer.deleted >= limit or monotonic() > end:
                    break
        answer.next_page_token = page_token(after, query)
        fields = {"policy": policy.name, "events": answer.deleted, "skipped": answer.skipped}
        self._context.report(call, "retention policy run", **fields)
        return answer

    async def create_legal_hold(
        self, request: retention_pb.CreateLegalHoldRequest, call: Call
    ) -> retention_pb.CreateLegalHoldResponse:
        query = to_text(self._sweeper.query_of(request.query))
        hold = new_hold(
            request, query, hold_id=self._context.new_id(), now=self._context.now(), principal=call.principal
        )
        await self._stored_holds.create(hold, call.once(_held))
        self._context.report(call, "legal hold created", id=hold.id, name=hold.name)
        return _held(hold)

    async def release_legal_hold(
        self, request: retention_pb.ReleaseLegalHoldRequest, call: Call
    ) -> retention_pb.ReleaseLegalHoldResponse:
        released = await self._stored_holds.delete(request.id.lower(), call.once(_released))
        if released:
            self._context.report(call, "legal hold released", id=request.id)
        return _released(released)

    async def list_legal_holds(
        self, _request: retention_pb.ListLegalHoldsRequest, _call: Call
    ) -> retention_pb.ListLegalHoldsResponse:
        return retention_pb.ListLegalHoldsResponse(holds=[*await self._stored_holds.find()])

    async def erase_person(
        self, request: retention_pb.ErasePersonRequest, call: Call
    ) -> retention_pb.ErasePersonResponse:
        answer = await self._eraser.erase(request, call)
        if not request.dry_run:
            records = sum(each.records for each in answer.erased)
            self._context.report(call, "person erased", records=records)
        return answer

    def _check(
        self,
        request: retention_pb.CreateRetentionPolicyRequest | retention_pb.UpdateRetentionPolicyRequest,
    ) -> None:
        _check_age(request.keep_for)
        self._sweeper.query_of(request.query)
        self._sweeper.require_export(request.export)

    async def _policy(self, policy_id: str) -> retention_pb.RetentionPolicy:
        policy = await self._policies.get(policy_id.lower())
        if policy is None:
            raise _not_found(policy_id)
        return policy

    async def _previewed(self, request: retention_pb.PreviewRetentionRequest) -> retention_pb.RetentionPolicy:
        if request.id:
            return await self._policy(request.id)
        if request.keep_for is None:
            raise invalid(FieldViolation("keep_for", "keep_for is required, or the id of a policy"))
        _check_age(request.keep_for)
        return retention_pb.RetentionPolicy(query=request.query, keep_for=request.keep_for)

    async def _count(self, where: EventFilter | None) -> int:
        return 0 if where is None else await self._events.count(where)


_created = answer_with(retention_pb.CreateRetentionPolicyResponse, "policy")
_updated = answer_with(retention_pb.UpdateRetentionPolicyResponse, "policy")
_deleted = answer_count(retention_pb.DeleteRetentionPolicyResponse)
_held = answer_with(retention_pb.CreateLegalHoldResponse, "hold")
_released = answer_count(retention_pb.ReleaseLegalHoldResponse)


def _check_age(age: Duration | None) -> None:
    """Refuse to keep events for less than a day: whoever reads them once a day would miss some."""
    if age is not None and duration_micros(age) < _LEAST_AGE:
        raise invalid(FieldViolation("keep_for", "expected at least a day, such as 34560000s"))


def _not_found(policy_id: str) -> TrackerError:
    return TrackerError(Reason.RETENTION_POLICY_NOT_FOUND, f"no retention policy found for id {policy_id}")
