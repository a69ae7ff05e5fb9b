"""The matrix: which versions of services run in which environments, now or at an earlier time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.domain.times import micros
from tracker.pb import event_pb, version_pb
from tracker.pb.options import wire_name
from tracker.time_text import DAY, moment_text
from tracker.web.matrix.rows import name_of, rows_of
from tracker.web.matrix.state import PATH, State, moment_of, state_of
from tracker.web.site import View
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.matrix.rows import Row
    from tracker.web.visit import Visit

_SERVICES: Final = 25
_EARLIER: Final = ((0, "nothing"), (1, "a day before"), (7, "a week before"), (30, "30 days before"))
_TO_THE_MINUTE: Final = 16
"""Characters of a date and time to the minute."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The services of a page; `next` is the address of the next one, "" on the last."""

    columns: Sequence[str]
    rows: Sequence[Row]
    as_of: str
    incomplete: bool
    next: str


class MatrixPage:
    """Shows services by environments, beside another moment or one environment beside another."""

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the services that the address leaves."""
        state = state_of(visit)
        matrix = await part(_matrix(visit, state))
        environments = [wire_name(each) for each in sorted(event_pb.Environment) if each]
        return View(
            "matrix/page.html",
            state=state,
            matrix=matrix.value,
            error=matrix.error,
            at=_control(visit, state.at),
            than=_control(visit, state.than),
            choices=environments,
            earlier=_earlier(visit, state),
            only=state.address(changes="0" if state.only_changes else "1"),
            plain=State(at=state.at, than=state.than).address(),
            csv=state.address("/matrix.csv"),
            api=_api(visit, state) if matrix.error is None else "",
            tracker=_command(visit, state) if matrix.error is None else "",
        )


async def _matrix(visit: Visit, state: State) -> Matrix:
    request = state.request(visit, visit.one("after"), UInt32Value(value=_SERVICES))
    found = await visit.ask(request, version_pb.GetDeployedVersionsResponse)
    columns = [name_of(each) for each in found.environments]
    if any(not each.environment for each in found.versions):
        columns.append(name_of(event_pb.Environment(0)))
    if state.against:
        columns = [state.environment, state.against]
    token = found.next_page_token
    as_of = visit.clock.now if found.as_of is None else micros(found.as_of)
    return Matrix(
        columns,
        rows_of(found.versions, columns, state, visit.times),
        visit.times.full(as_of),
        found.incomplete,
        visit.here(PATH, after=token) if token else "",
    )


def _control(visit: Visit, text: str) -> str:
    """Return what a control for a date and time shows of a parameter; "" where that names no time."""
    found = visit.clock.read(text) if text else None
    return "" if found is None else visit.times.local(found.low).isoformat()[:_TO_THE_MINUTE]


def _earlier(visit: Visit, state: State) -> list[tuple[str, str, bool]]:
    """Return the moments to compare with that are a click away: name, address, and whether it is chosen."""
    at = visit.clock.read(state.at) if state.at else None
    found = []
    for days, name in _EARLIER:
        than = f"{days}d" if days else ""
        if at is not None and days:
            than = visit.times.local(at.low - days * DAY).isoformat()[:_TO_THE_MINUTE]
        found.append((name, state.address(than=than, against=""), than == state.than))
    return found


def _api(visit: Visit, state: State) -> str:
    request = state.request(visit, "", None)
    asked = [
        ("services", state.pattern if state.service else ""),
        ("team", request.team),
        ("version", request.version),
        ("environment", state.environment),
        ("compared_environment", state.against),
        ("as_of", request.as_of),
        ("compared_with", request.compared_with),
        ("unchanged", "true" if request.unchanged else ""),
    ]
    return address("/api/v1alpha1/versions", [(name, value) for name, value in asked if value])


def _command(visit: Visit, state: State) -> str:
    words = ["tracker", "versions"]
    if state.service:
        words += ["--services", state.pattern]
    if state.team:
        words += ["--team", state.team]
    if state.version:
        words += ["--version", state.version]
    if state.against:
        words += ["--environments", state.environment, state.against]
    elif state.environment:
        words += ["--environment", state.environment]
    for option, name, text in (("--as-of", "at", state.at), ("--compared-with", "than", state.than)):
        moment = moment_of(visit, name, text)
        if moment is not None:
            words += [option, moment_text(moment)]
    return shlex.join(words)
