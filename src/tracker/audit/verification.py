"""Verification of the audit log, or of an export of it, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tracker.audit.chain import (
    AUDIT,
    ERASED,
    PRUNED,
    before_first,
    checkpoint_in,
    commitment,
    fields_in,
    hash_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tracker.audit.chain import Checkpoint, Entry

_MOST_PROBLEMS: Final = 1_000


@dataclass(slots=True)
class Verification:
    """What is found as the entries are given in their order.

    `trusted` are the public keys whose checkpoints count; of none, all do. `kept` are checkpoints that were
    kept elsewhere: the log must have what they sign. `keys` are the numbers of checkpoints by public key, and
    entries up to `signed` are signed.
    """

    trusted: Collection[str] = ()
    kept: Iterable[Checkpoint] = ()
    problems: list[str] = field(default_factory=list)
    entries: int = 0
    first: int = 0
    last: Entry | None = None
    signed: int = 0
    keys: dict[str, int] = field(default_factory=dict)
    _changed: dict[int, str] = field(default_factory=dict)
    _hashes: dict[int, str] = field(default_factory=dict)
    _pruned: int = 1

    def __post_init__(self) -> None:
        """Check the signatures of the checkpoints that were kept elsewhere."""
        for each in self.kept:
            if not self._is_signed(each):
                self._report(f"the checkpoint of entry {each.number} that was kept is not signed by its key")
            elif self._hashes.setdefault(each.number, each.hash) != each.hash:
                self._report(f"two checkpoints that were kept contradict each other at entry {each.number}")

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        previous = self._previous(entry)
        if entry.hash != hash_of(entry, previous):
            self._report(f"entry {entry.number} was changed, or does not follow the one before it")
        if (actual := commitment(entry.salt, entry.content)) != entry.commitment:
            self._changed[entry.number] = actual
        if self._hashes.pop(entry.number, entry.hash) != entry.hash:
            self._report(f"entry {entry.number} is not the one of the checkpoint that was kept")
        if entry.is_checkpoint:
            self._add_checkpoint(entry, previous)
        elif entry.record == AUDIT and entry.action in {ERASED, PRUNED}:
            self._add_own(entry)
        self.entries += 1
        self.last = entry

    def finish(self) -> Sequence[str]:
        """Return all problems, once the last entry was given."""
        for number in self._changed:
            self._report(f"the content of entry {number} was changed")
        for number in self._hashes:
            self._report(f"entry {number}, of a checkpoint that was kept, is missing")
        if self.first > self._pruned:
            self._report(f"entries before {self.first} are missing, and no entry says that they were pruned")
        return self.problems

    def _previous(self, entry: Entry) -> str:
        """Return the hash that an entry has to follow."""
        last = self.last
        if last is None:
            self.first = entry.number
            start = before_first(entry)
            if start is None:
                self._report(f"entries before {entry.number} are missing")
            return start or ""
        if entry.number != last.number + 1:
            missing = f"{last.number + 1} to {entry.number - 1}"
            self._report(
                f"entries {missing} are missing" if entry.number > last.number else "the order is wrong"
            )
        return last.hash

    def _add_checkpoint(self, entry: Entry, previous: str) -> None:
        found = checkpoint_in(entry)
        if found is None or (found.number, found.hash) != (entry.number - 1, previous):
            self._report(f"the checkpoint {entry.number} does not sign the entry before it")
        elif not self._is_signed(found):
            self._report(f"the signature of the checkpoint {entry.number} is wrong")
        elif self.trusted and found.key not in self.trusted:
            self._report(f"the checkpoint {entry.number} is signed by another key, {found.key}")
        else:
            self.keys[found.key] = self.keys.get(found.key, 0) + 1
            self.signed = found.number

    def _add_own(self, entry: Entry) -> None:
        content = fields_in(entry.content) or {}
        try:
            if entry.action == PRUNED:
                self._pruned = max(self._pruned, content["before"])
            else:
                for number, committed in content["entries"].items():
                    if self._changed.get(int(number)) == committed:
                        del self._changed[int(number)]
        except (ValueError, TypeError, KeyError, AttributeError):
            self._report(f"the content of entry {entry.number} can't be read")

    @staticmethod
    def _is_signed(checkpoint: Checkpoint) -> bool:
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint.key))
            key.verify(bytes.fromhex(checkpoint.signature), checkpoint.signed)
        except (ValueError, InvalidSignature):
            return False
        return True

    def _report(self, problem: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)
