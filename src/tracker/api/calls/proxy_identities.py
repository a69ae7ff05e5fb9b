"""The credentials of people whom a trusted proxy has identified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.people import principal_of_groups
from tracker.errors import invalid_credentials

if TYPE_CHECKING:
    from tracker.domain.access import Principal
    from tracker.services.access.directory import Directory
    from tracker.services.context import Call

_LONGEST = 128
"""Characters of a name."""


class ProxyIdentities:
    """Takes the name of a user and the groups from headers, if a trusted proxy sent them.

    From anybody else, the headers count for nothing. The proxy must set both, whatever its clients send.
    """

    def __init__(self, directory: Directory, user_header: str, groups_header: str) -> None:
        self._directory = directory
        self._user = user_header.lower()
        self._groups = groups_header.lower()
        self.headers = (self._user,)

    async def authenticate(self, call: Call) -> Principal | None:
        return self.principal_of(call)

    def principal_of(self, call: Call) -> Principal | None:
        """Return the principal that a trusted proxy names, with what its groups give it now.

        Raises:
            TrackerError: UNAUTHENTICATED; the name can't be that of a user.
        """
        name = call.headers.get(self._user, "").strip() if call.proxy else ""
        if not name:
            return None
        if "," in name or len(name) > _LONGEST or not name.isprintable():  # a comma: sent by two
            raise invalid_credentials()
        groups = {group.strip() for group in call.headers.get(self._groups, "").split(",")}
        return principal_of_groups(name, groups - {""}, self._directory.teams.values())
