"""The entries of the audit log, from a server or from an exported file, and their verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.audit.chain import Checkpoint, Entry, read_checkpoint
from tracker.audit.verification import Verification
from tracker.cli.exits import USAGE, CommandError
from tracker.client.rpcs import LIST_AUDIT_ENTRIES
from tracker.pb import audit_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tracker.client.connection import Connection

_PAGE = 1_000


def entries_of(connection: Connection) -> Iterator[audit_pb.AuditEntry]:
    """Yield all entries of a server's audit log."""
    token = ""
    while True:
        request = LIST_AUDIT_ENTRIES.request(limit=_PAGE, page_token=token)
        answer = connection.call(LIST_AUDIT_ENTRIES, request)
        yield from answer.entries
        token = answer.next_page_token
        if not token:
            return


def exported(path: Path) -> Iterator[audit_pb.AuditEntry]:
    """Yield the entries in an exported file."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield audit_pb.AuditEntry.from_json(line)
                except (ValueError, TypeError):
                    raise CommandError(
                        f"{path}, line {number}: not an entry of an audit log", USAGE
                    ) from None
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}", USAGE) from None


def kept_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in a file."""
    try:
        checkpoint = read_checkpoint(path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}", USAGE) from None
    if checkpoint is None:
        raise CommandError(f"{path} has no checkpoint; make one with `tracker audit checkpoint`", USAGE)
    return checkpoint


def verified(
    entries: Iterable[audit_pb.AuditEntry], trusted: Sequence[str], kept: Sequence[Checkpoint]
) -> Verification:
    """Return what a verification of entries finds."""
    verification = Verification(trusted, kept)
    for each in entries:
        at = 0 if each.at is None else each.at.seconds * 1_000_000 + each.at.nanos // 1_000
        rest = (each.record, each.action, each.record_id, each.log, each.position, each.content)
        verification.add(Entry(each.number, at, *rest, each.salt, each.commitment, each.hash))
    verification.finish()
    return verification
