"""The step that decides whether a principal may make a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.api.calls.endpoint import Endpoint, Handler


class Authorize:
    """Allows every principal, including the anonymous one, every endpoint: there is no access control yet."""

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        return then
