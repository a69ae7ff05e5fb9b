"""The steps that find out who makes a call, and whether that principal may make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tracker.services.context import permission_required

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.domain.access import Principal
    from tracker.services.context import Call


class Authenticator(Protocol):
    """Recognizes one kind of credentials."""

    def authenticate(self, call: Call) -> Awaitable[Principal | None]:
        """Return the principal whose credentials a call has, or None if it has none of this kind.

        Raises:
            TrackerError: UNAUTHENTICATED; it has some, and they are not valid.
        """


class Authenticate:
    """Sets the principal of each call: that of its credentials, or the anonymous one.

    The first authenticator that finds credentials decides. Invalid credentials are refused at every endpoint,
    public ones too: a caller who sends some relies on them.
    """

    def __init__(self, authenticators: Sequence[Authenticator], anonymous: Principal) -> None:
        self._authenticators = tuple(authenticators)
        self._anonymous = anonymous

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        authenticators, anonymous = self._authenticators, self._anonymous

        async def authenticated(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
            for each in authenticators:
                principal = await each.authenticate(call)
                if principal is not None:
                    call.made_by(principal)
                    break
            else:
                call.made_by(anonymous)
            return await then(read, call)

        return authenticated


class Authorize:
    """Refuses calls of endpoints whose permission the principal lacks.

    What a grant is narrowed to is checked by services, with `Call.require`.
    """

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        permission = endpoint.permission
        if permission is None:
            return then

        def authorized(read: Read, call: Call) -> Awaitable[Any]:
            if not call.principal.may(permission):
                raise permission_required(call.principal, permission)
            return then(read, call)

        return authorized
