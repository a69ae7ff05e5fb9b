"""Record a long history of locks on servers that break, and check it.

    python -m tests.histories [--store sqlite|mongo|split-brain] [--acquisitions 50000] [--clients 16] …

The exit code is 0 if no violation was found. What comes when is chance, and so not the same for the same
seed; the history of a run that failed is kept, and `python -m tests.histories.checker FILE` checks it again.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from tests.histories.checker import violations
from tests.histories.cluster import STORES
from tests.histories.operations import write
from tests.histories.run import Plan, record

if TYPE_CHECKING:
    from tests.histories.run import Recording

_SHOWN = 5


def main() -> None:
    """Run, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", choices=STORES, default="sqlite")
    parser.add_argument("--acquisitions", type=int, default=50_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--keys", type=int, default=8, help="how many locks they want")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument(
        "--mean-gap",
        type=float,
        default=3.0,
        help="seconds between one harm to a server and the next; 0: none",
    )
    parser.add_argument("--harm-databases", action="store_true", help="kill and pause mongod too")
    parser.add_argument("--history", type=Path, help="file to write the history to in any case")
    options = vars(parser.parse_args())
    kept = options.pop("history")
    plan = Plan(**options)
    _tell(str(plan))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        recording = uvloop.run(record(plan, Path(folder)))
    found = _report(recording)
    if found and kept is None:
        kept = Path(f"history-{plan.seed}.jsonl")
    if kept is not None:
        write(kept, recording.contest.history)
        _tell(f"the history is in {kept}")
    sys.exit(found)


def _report(recording: Recording) -> bool:
    """Print what a run was like; return whether something was wrong."""
    contest, harm = recording.contest, recording.harm
    _tell(f"{contest.acquired} acquisitions in {recording.seconds:.0f} s, {len(contest.history)} operations")
    _tell(f"holders that were late: {contest.late}, gone: {contest.vanished}")
    for answer, number in sorted(Counter(f"{o.kind} {o.answer}" for o in contest.history).items()):
        _tell(f"  {number:7} {answer}")
    _tell(", ".join(f"{what}: {number}" for what, number in sorted(harm.items())) or "no harm done")
    began = time.monotonic()
    found = list(violations(contest.history))
    _tell(f"{len(found)} violations; checked in {time.monotonic() - began:.1f} s")
    for violation in found[:_SHOWN]:
        _tell(str(violation))
    _tell(f"{len(contest.defects)} answers that tell of a defect")
    for defect in (*contest.defects[:_SHOWN], *recording.defects[:_SHOWN]):
        _tell(defect)
    return bool(found or contest.defects)


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a program for the terminal


if __name__ == "__main__":
    main()
