"""When keys and sessions were last used, and from where: kept in memory, and stored once a minute."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.times import micros, timestamp
from tracker.stores.access import StoredAccess

if TYPE_CHECKING:
    from tracker.pb import access_pb


class Use(NamedTuple):
    """The last use of a record with the hash of a secret: when (microseconds since the epoch), from where."""

    secret_hash: bytes
    at: int
    address: str = ""

    def store(self, there: StoredAccess | None) -> StoredAccess:
        """Return the record with this use, unless another server has stored a later one.

        The record of a session that is over stays as it is, also if it is another session's by now.
        """
        if there is None:
            raise LookupError("a record is never deleted")
        record = copy.deepcopy(there.record)
        used = record.api_key or record.session
        if used is None or there.secret_hash != self.secret_hash or used.created_at is None:
            return there
        if used.last_used_at is None or micros(used.last_used_at) < self.at:
            used.last_used_at = timestamp(self.at)
            if record.session is not None:
                record.session.last_used_from = self.address
        return StoredAccess(record, there.secret_hash)

    def shown(self, stored: StoredAccess) -> access_pb.Access:
        """Return a record with this use, where that is later than the one that is stored."""
        return self.store(stored).record
