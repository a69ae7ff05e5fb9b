"""The step that decides whether a principal may make a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.api.calls.endpoint import Endpoint, Handler


class Authorize:
    """Lets every principal call every endpoint, the anonymous one too: there is no access control yet."""

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        """Return `then`: no endpoint asks for a permission."""
        return then
