"""The matrix as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.domain.times import micros
from tracker.pb import version_pb
from tracker.pb.options import name_if_set, wire_name
from tracker.time_text import moment_text
from tracker.web.matrix.state import state_of
from tracker.web.spreadsheets import csv_of, download

if TYPE_CHECKING:
    from tracker.api.http_exchange import HttpResponse
    from tracker.web.visit import Visit

_MOST: Final = 10_000
"""Places of a file."""
_HEADER: Final = (
    *("service", "environment", "region", "cluster", "version", "since", "deployed_by"),
    *("previous_version", "rolled_back", "behind_newest", "newest_version"),
    *("behind_previous_environment", "previous_environment", "later_version", "later_status"),
    *("compared_version", "event_id"),
)


class MatrixFile:
    """Answers with a file of what the matrix shows at the same parameters, of all services."""

    path = "/matrix.csv"

    async def show(self, visit: Visit) -> HttpResponse:
        """Return the file."""
        state, token = state_of(visit), ""
        visit.refuse_ignored()
        rows: list[list[str]] = []
        while len(rows) < _MOST:
            request = state.request(visit, token, UInt32Value(value=200))
            found = await visit.ask(request, version_pb.GetDeployedVersionsResponse)
            rows += map(_row, found.versions)
            token = found.next_page_token
            if not token:
                break
        return download(csv_of(_HEADER, rows[:_MOST]), "text/csv; charset=utf-8", "matrix.csv")


def _row(each: version_pb.DeployedVersion) -> list[str]:
    before, later = each.previous_environment, each.later
    since = "" if each.since is None else moment_text(micros(each.since))
    return [
        each.service,
        name_if_set(each.environment),
        *(each.region, each.cluster, each.version, since, each.deployed_by, each.previous_version),
        "true" if each.rolled_back else "",
        "" if each.behind_newest is None else str(each.behind_newest.value),
        each.newest_version,
        "" if each.behind_previous_environment is None else str(each.behind_previous_environment.value),
        name_if_set(before),
        later.version if later else "",
        wire_name(later.status) if later and later.status else "",
        each.compared_version,
        each.event_id,
    ]
