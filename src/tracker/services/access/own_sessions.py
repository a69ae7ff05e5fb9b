"""The auth service: the sessions of the user whose session calls."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tracker.pb import auth_pb
from tracker.services.access.sessions import is_of

if TYPE_CHECKING:
    from tracker.services.access.sessions import Sessions
    from tracker.services.context import Call, Context
    from tracker.stores.access import StoredAccess


class OwnSessionsService:
    """Answers the RPCs of `tracker.auth.v1alpha1.AuthService` about sessions.

    Other callers, such as API keys, and people that a proxy names, have no sessions.
    """

    def __init__(self, sessions: Sessions, context: Context) -> None:
        self._sessions = sessions
        self._context = context

    async def list_sessions(
        self, _request: auth_pb.ListSessionsRequest, call: Call
    ) -> auth_pb.ListSessionsResponse:
        found = await self._sessions.of_same_user(call.session)
        return auth_pb.ListSessionsResponse(sessions=[self._shown(each, call) for each in found])

    async def end_session(self, request: auth_pb.EndSessionRequest, call: Call) -> auth_pb.EndSessionResponse:
        for each in await self._sessions.of_same_user(call.session):
            if _id(each) == request.id:
                await self._sessions.end_stored(each)
                self._context.report(call, "session ended", id=request.id, user=call.principal.name)
        return auth_pb.EndSessionResponse()

    async def end_other_sessions(
        self, _request: auth_pb.EndOtherSessionsRequest, call: Call
    ) -> auth_pb.EndOtherSessionsResponse:
        found = await self._sessions.of_same_user(call.session)
        others = [each for each in found if not is_of(each, call.session)]
        for each in others:
            await self._sessions.end_stored(each)
        if others:
            self._context.report(call, "other sessions ended", ended=len(others), user=call.principal.name)
        return auth_pb.EndOtherSessionsResponse(ended=len(others))

    def _shown(self, stored: StoredAccess, call: Call) -> auth_pb.Session:
        session = self._sessions.with_use(stored)
        return auth_pb.Session(
            id=_id(stored),
            created_at=session.created_at,
            expires_at=session.expires_at,
            current=is_of(stored, call.session),
            user_agent=session.user_agent,
            last_used_at=session.last_used_at,
            last_used_from=session.last_used_from,
        )


def _id(stored: StoredAccess) -> str:
    """Return the id of a session: not that of its record, which is used again for another session."""
    return hashlib.sha256(b"id:" + stored.secret_hash).hexdigest()[:24]
