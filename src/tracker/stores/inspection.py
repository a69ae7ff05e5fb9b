"""What an operator asks of a store: its health, its size, and its records that need attention.

An inspection changes nothing. A server may use the store meanwhile, and its schema may be of another version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracker.pb import access_pb, webhook_pb

QUERIES = (
    "",
    "type:deployment environment:production since:7d",
    "service:example since:30d",
    "status:failure",
    "owner:example",
    "duration>1h",
    "checkout error",
)
"""Queries whose plans tell whether the indexes serve a store: `example` stands for any value."""


@dataclass(slots=True)
class Inspection:
    """What was found; `problems` say why the store can't be used as it is, each with what to do.

    `database` is the name and the version of what it is stored in; `sizes` are bytes by what takes them,
    `records` numbers by table or collection, which may be estimates, and `plans` the steps of `QUERIES`.
    Of the newest entries of the audit log, `audit` has when the last one was made, and when the one that was
    last signed; `failed_messages` are those of webhooks that failed. `skew` is by how many seconds the
    clock of the database is ahead of that of this machine.
    """

    database: str
    problems: list[str] = field(default_factory=list)
    version: int = 0
    newest_version: int = 0
    checked_whole: bool = True
    sizes: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    plans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    access: Sequence[access_pb.Access] = ()
    webhooks: Sequence[webhook_pb.Webhook] = ()
    failed_messages: int = 0
    audit: tuple[datetime | None, datetime | None] = (None, None)
    skew: float | None = None
    members: Sequence[str] = ()
