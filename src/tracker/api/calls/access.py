"""The steps that find out who makes a call, and whether that principal may make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from tracker.api.calls.callers import address_of
from tracker.errors import Reason, TrackerError
from tracker.pb.options import is_open_for_own
from tracker.services.context import permission_required

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.domain.access import Principal
    from tracker.services.access.attempts import FailedAttempts
    from tracker.services.context import Call

_OF_KEYS: Final = frozenset({"authorization", "cookie", "x-api-key"})
"""Headers of which the first two decide over the cookie."""


class Authenticator(Protocol):
    """Recognizes one kind of credentials: a call that has none of `headers` has none of this kind."""

    @property
    def headers(self) -> Sequence[str]:
        """The names of the headers, in lower case."""

    def authenticate(self, call: Call) -> Awaitable[Principal | None]:
        """Return the principal whose credentials a call has, or None if it has none of this kind.

        Raises:
            TrackerError: UNAUTHENTICATED; it has some, and they are not valid.
        """


class Authenticate:
    """Sets the principal of each call: that of its credentials, or the anonymous one.

    The first authenticator that finds credentials decides. Invalid credentials are refused at every endpoint,
    public ones too: a caller who sends some relies on them. After many from one address, the answer is that
    there were too many; valid ones are always accepted.

    Credentials that `known` finds were accepted before: `authorization` and `x-api-key` decided then. Where a
    header comes first, as that of a proxy does, it is not asked.
    """

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        known: Callable[[Mapping[str, str]], Principal | None],
        anonymous: Principal,
        attempts: FailedAttempts,
    ) -> None:
        self._authenticators = tuple(authenticators)
        self._known = known
        self._anonymous = anonymous
        self._attempts = attempts

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        anonymous, authenticate, known = self._anonymous, self._authenticate, self._known
        names = frozenset(name for each in self._authenticators for name in each.headers)
        has_none, only_keys = names.isdisjoint, (names - _OF_KEYS).isdisjoint

        def authenticated(read: Read, call: Call) -> Awaitable[Any]:
            if has_none(call.headers):
                call.made_by(anonymous)
                return then(read, call)
            principal = known(call.headers) if only_keys(call.headers) else None
            if principal is None:
                return authenticate(then, read, call)
            call.made_by(principal)
            return then(read, call)

        return authenticated

    async def _authenticate(self, then: Handler, read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
        try:
            principal = None
            for each in self._authenticators:
                principal = await each.authenticate(call)
                if principal is not None:
                    break
            call.made_by(principal or self._anonymous)
        except TrackerError as error:
            if error.reason is Reason.INVALID_CREDENTIALS:
                self._attempts.refused(address_of(call))
            raise
        return await then(read, call)


class Authorize:
    """Refuses calls of endpoints whose permission the principal lacks.

    RPCs that are open for what is a caller's own refuse only anonymous ones here. That, and what a grant is
    narrowed to, is checked by services, with `Call.require`.
    """

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        permission = endpoint.permission
        if permission is None:
            return then
        own = endpoint.rpc is not None and is_open_for_own(endpoint.rpc)

        def authorized(read: Read, call: Call) -> Awaitable[Any]:
            if not call.principal.may(permission) and not (own and not call.principal.is_anonymous):
                raise permission_required(call.principal, permission)
            return then(read, call)

        return authorized
