"""The contract of a store for the records of access control."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.pb import access_pb


class StoredAccess(NamedTuple):
    """A record of access control, and the hash of its secret, which the change log doesn't have."""

    record: access_pb.Access
    secret_hash: bytes

    @property
    def unique_name(self) -> str | None:
        """The name that no other record may have: that of a user or a team, regardless of case."""
        if (user := self.record.user) is not None:
            return name_of_user(user.username)
        return None if self.record.team is None else f"team:{self.record.team.name.lower()}"


class NameTakenError(Exception):
    """Another record has the unique name `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def name_of_user(username: str) -> str:
    """Return the unique name of the user with a name."""
    return f"user:{username.lower()}"


class AccessStore(Protocol):
    """The records of access control, by id. They are never deleted."""

    poll_seconds: float | None
    """Seconds between reads for changes of other servers; None where there are none."""

    async def modify(
        self,
        record_id: str,
        change: Callable[[StoredAccess | None], StoredAccess],
        *,
        logged: bool = True,
    ) -> StoredAccess:
        """Store what `change` returns for a record, or for None where there is none, and return it.

        What is not `logged` is not in the change log.

        Raises:
            NameTakenError: Another record has its unique name, which it did not have before.
        """

    async def find(self, since: int = 0) -> Sequence[StoredAccess]:
        """Return all records, or those changed since a time (microseconds since the epoch), ordered by id."""
