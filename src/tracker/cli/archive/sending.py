"""Sends batches of events to a server, several at a time."""

from __future__ import annotations

import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.cli.archive.lines import Problem
from tracker.client import ApiError, UnreachableError
from tracker.client.events import IMPORT_EVENTS
from tracker.errors import Code, FieldViolation
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from tracker.cli.archive.lines import Batch
    from tracker.client import Connection

_AT_ONCE = 6
"""Concurrent calls: a server decodes one while it stores another."""

_ANSWER = 30.0
"""Seconds that an answer may take."""

_PATIENCE = 60.0
"""Seconds for which a call without an answer is repeated."""

_NAMED = re.compile(r"events\[(\d+)\]\.?")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: events by outcome, and problems in the order of their lines."""

    counts: Mapping[str, int]
    problems: Sequence[Problem]
    position: int


def outcomes(connection: Connection, batches: Iterable[Batch], *, overwrite: bool) -> Iterator[Outcome]:
    """Import batches, and yield the outcome of each, in their order.

    Raises:
        ApiError: The server refused a batch for a reason that is not in its events.
        UnreachableError: It gave no answer to the end.
    """
    under_way: deque[tuple[Batch, Future[Outcome]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for batch in batches:
                under_way.append((batch, pool.submit(_imported, connection, batch, overwrite=overwrite)))
                if len(under_way) > _AT_ONCE:
                    yield _outcome(connection, *under_way.popleft(), overwrite=overwrite)
            while under_way:
                yield _outcome(connection, *under_way.popleft(), overwrite=overwrite)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _outcome(connection: Connection, batch: Batch, sent: Future[Outcome], *, overwrite: bool) -> Outcome:
    """Return the outcome of a batch; without an answer it is sent again here, where Ctrl-C can end that."""
    try:
        return sent.result()
    except (ApiError, UnreachableError) as error:
        if isinstance(error, ApiError) and error.code is not Code.UNAVAILABLE:
            raise
    return _imported(connection, batch, overwrite=overwrite, patience=_PATIENCE)


def _imported(connection: Connection, batch: Batch, *, overwrite: bool, patience: float = 0.0) -> Outcome:
    lines = dict(enumerate(batch.lines))
    events = dict(enumerate(batch.events))
    answers, problems = _send(connection, events, overwrite=overwrite, patience=patience, key=batch.key)
    found = [*batch.problems, *(Problem(lines[place], why) for place, why in problems.items())]
    counts = {
        "stored": sum(answer.stored for answer in answers),
        "there already": sum(answer.unchanged for answer in answers),
        "replaced": sum(answer.replaced for answer in answers),
        "refused": len(found),
    }
    return Outcome(counts, sorted(found), batch.position)


def _send(
    connection: Connection, events: Mapping[int, bytes], *, overwrite: bool, patience: float, key: str
) -> tuple[Sequence[event_pb.ImportEventsResponse], Mapping[int, str]]:
    """Import events; if the server refuses all because of some, retry without those.

    Returns the answers, and why events were not imported, by their keys.
    """
    answers: list[event_pb.ImportEventsResponse] = []
    problems: dict[int, str] = {}
    waiting = [dict(events)] if events else []
    while waiting:
        part = waiting.pop()
        keys = list(part)
        try:
            body = _body(part.values(), overwrite=overwrite)
            answer = connection.call(
                IMPORT_EVENTS,
                body,
                timeout=_ANSWER,
                patience=patience,
                # A repetition that overwrites must not undo what others have changed since.
                idempotency_key=f"{key}.{keys[0]}.{len(part)}" if overwrite else None,
            )
        except ApiError as error:
            if error.code is not Code.INVALID_ARGUMENT:
                raise
            wrong = _blamed(error.violations)
            if wrong:
                problems |= {keys[place]: why for place, why in wrong.items()}
                left = {key: part[key] for place, key in enumerate(keys) if place not in wrong}
                waiting += [left] if left else []
            elif len(part) > 1:
                half = len(part) // 2
                waiting += [{key: part[key] for key in each} for each in (keys[half:], keys[:half])]
            else:
                problems[keys[0]] = error.message
        else:
            answers.append(answer)
            problems |= {keys[each.index]: each.message for each in answer.refused}
    return answers, problems


def _body(events: Iterable[bytes], *, overwrite: bool) -> bytes:
    return b'{"overwrite":%s,"events":[%s]}' % (b"true" if overwrite else b"false", b",".join(events))


def _blamed(violations: Iterable[FieldViolation]) -> Mapping[int, str]:
    """Return what is wrong with events, by their places in the request."""
    wrong: dict[int, str] = {}
    for violation in violations:
        named = _NAMED.match(violation.field)
        if named is not None:
            told = FieldViolation(
                violation.field.removeprefix(named[0]), violation.description.removeprefix(named[0])
            )
            place = int(named[1])
            wrong[place] = "; ".join(filter(None, (wrong.get(place), told.sentence)))
    return wrong
