"""The entries of the audit log, chained by hashes, and its signed checkpoints.

The hash of an entry is the SHA-256 of a JSON array: its number, the hash of the entry before it, its time in
microseconds since the epoch, record, action, id of the record, log, position, and commitment. The commitment
is the SHA-256 of its salt, 32 random bytes, and its content. So personal values are in the content alone, and
the chain outlasts their erasure.

A chain does not show that its end was cut off, nor that all of it was written anew. A checkpoint is an entry
with a signature (Ed25519) of the number and the hash of the entry before it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

AUDIT: Final = "audit"
"""The `record` of entries about the audit log itself, whose actions are the following."""

CHECKPOINT: Final = "checkpoint"
"""Signs the entry before it."""

ERASED: Final = "erased"
"""Values were erased from earlier entries: `entries` has their new commitments by number."""

PRUNED: Final = "pruned"
"""Entries before the number `before` are no longer kept."""

LOST: Final = "lost"
"""Changes were made that have no entry."""

CUT: Final = "cut"
"""Entries that this server had written were missing or changed."""

SALT_BYTES: Final = 32
_START: Final = "0" * 64


class Draft(NamedTuple):
    """An entry before it is chained. `log` and `position` are those of the change it is about, if any."""

    at: int
    record: str
    action: str
    record_id: str
    content: str
    salt: bytes
    log: str = ""
    position: int = 0


class Entry(NamedTuple):
    """An entry of the audit log; `at` is microseconds since the epoch, the hashes hexadecimal digits.

    `log` and `position` are those of the last change of the change log that has an entry so far.
    """

    number: int
    at: int
    record: str
    action: str
    record_id: str
    log: str
    position: int
    content: str
    salt: bytes
    commitment: str
    hash: str

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is a signed checkpoint."""
        return self.record == AUDIT and self.action == CHECKPOINT


class Checkpoint(NamedTuple):
    """The number and the hash of an entry, signed: `key` is the public key, all in hexadecimal digits."""

    number: int
    hash: str
    key: str
    signature: str

    @property
    def signed(self) -> bytes:
        """What the signature is of."""
        return f"tracker audit checkpoint\n{self.number}\n{self.hash}\n".encode()


def commitment(salt: bytes, content: str) -> str:
    """Return the commitment to a content."""
    return sha256(salt + content.encode("utf-8", "surrogatepass")).hexdigest()


def hash_of(entry: Entry, previous: str) -> str:
    """Return the hash of an entry after the one with the hash `previous`."""
    number, at, record, action, record_id, log, position, _, _, committed, _ = entry
    parts = (number, previous, at, record, action, record_id, log, position, committed)
    return _hash(parts)


def _hash(parts: tuple[int | str, ...]) -> str:
    return sha256(orjson.dumps(parts)).hexdigest()


def chained(last: Entry | None, drafts: Iterable[Draft]) -> Sequence[Entry]:
    """Return entries that follow the last one."""
    entries: list[Entry] = []
    number, previous, log, position = 0, _START, "", 0
    if last is not None:
        number, previous, log, position = last.number, last.hash, last.log, last.position
    for at, record, action, record_id, content, salt, of_log, of_position in drafts:
        number += 1
        if of_log:
            log, position = of_log, of_position
        committed = commitment(salt, content)
        parts = (number, previous, at, record, action, record_id, log, position, committed)
        previous = _hash(parts)
        entries.append(
            Entry(number, at, record, action, record_id, log, position, content, salt, committed, previous)
        )
    return entries


def fields_in(content: str | bytes) -> Mapping[str, Any] | None:
    """Return the fields of a content, or None for one that is damaged, or never was a JSON object."""
    try:
        fields = orjson.loads(content)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def before_first(entry: Entry) -> str | None:
    """Return the hash before the first entry that is kept, or None for one that can't be the first."""
    if entry.number == 1:
        return _START
    checkpoint = checkpoint_in(entry)
    return None if checkpoint is None or checkpoint.number != entry.number - 1 else checkpoint.hash


def checkpoint_in(entry: Entry) -> Checkpoint | None:
    """Return the checkpoint in an entry, or None if it has none that can be read."""
    return read_checkpoint(entry.content) if entry.is_checkpoint else None


def read_checkpoint(text: str | bytes) -> Checkpoint | None:
    """Return the checkpoint in a JSON text, or None for another text."""
    number, *rest = map((fields_in(text) or {}).get, Checkpoint._fields)
    texts = [each for each in rest if isinstance(each, str)]
    return Checkpoint(number, *texts) if isinstance(number, int) and len(texts) == len(rest) else None
