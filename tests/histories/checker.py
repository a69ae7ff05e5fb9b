"""Check histories of locks.

python -m tests.histories.checker FILE
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.histories.intervals import disordered_tokens, overlapping_holders
from tests.histories.linearizability import not_linearizable
from tests.histories.operations import by_key, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.histories.operations import Operation, Violation


def violations(history: Iterable[Operation]) -> Iterator[Violation]:
    """Yield all that no correct locks would have answered: each lock is checked by itself."""
    for part in by_key(history).values():
        yield from overlapping_holders(part)
        yield from disordered_tokens(part)
        if stuck := not_linearizable(part):
            yield stuck


if __name__ == "__main__":
    found = list(violations(read(Path(sys.argv[1]))))
    print(*found, f"{len(found)} violations", sep="\n")  # noqa: T201 - a program for the terminal
    sys.exit(bool(found))
