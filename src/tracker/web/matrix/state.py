"""What the address of the matrix asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.environments import environment_name
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb, version_pb
from tracker.pb.options import number_named
from tracker.time_text import moment_text
from tracker.web.page_state import PageState
from tracker.web.times import read_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protobuf.wkt import UInt32Value

    from tracker.web.visit import Visit

PATH: Final = "/matrix"


@dataclass(frozen=True, slots=True)
class State(PageState):
    """The parameters, as they are in the address.

    `changes` is 1 to show what differs alone, as by default between environments, or 0 to show all.
    """

    path = PATH

    service: str = ""
    team: str = ""
    version: str = ""
    environment: str = ""
    against: str = ""
    at: str = ""
    than: str = ""
    changes: str = ""

    @property
    def compares(self) -> bool:
        """Whether it compares moments or environments."""
        return bool(self.than or self.against)

    @property
    def only_changes(self) -> bool:
        """Whether it leaves what differs alone."""
        return self.compares and (self.changes == "1" or (bool(self.against) and self.changes != "0"))

    @property
    def narrows(self) -> bool:
        """Whether it leaves out services or environments."""
        return bool(self.service or self.team or self.version or self.environment)

    def _parameters(self) -> Iterable[tuple[str, str]]:
        return ((name, getattr(self, name)) for name in State.__slots__)

    def request(
        self, visit: Visit, token: str, limit: UInt32Value | None
    ) -> version_pb.GetDeployedVersionsRequest:
        """Return what to ask for a page of services.

        Raises:
            TrackerError: INVALID_ARGUMENT for a time or an environment that is none.
        """
        return version_pb.GetDeployedVersionsRequest(
            services=[self.pattern] if self.service else [],
            team=self.team,
            version=self.version,
            environment=_environment("environment", self.environment),
            compared_environment=_environment("against", self.against),
            as_of=moment_text(moment) if (moment := moment_of(visit, "at", self.at)) is not None else "",
            compared_with=(
                moment_text(moment) if (moment := moment_of(visit, "than", self.than)) is not None else ""
            ),
            unchanged=self.compares and not self.only_changes,
            limit=limit,
            page_token=token,
        )

    @property
    def pattern(self) -> str:
        """The pattern of the names of services; a text without `*` may be anywhere in them."""
        return self.service if "*" in self.service else f"*{self.service}*"


def state_of(visit: Visit) -> State:
    """Return what the address of a visit asks for."""
    asked = {name: visit.one(name) for name in State.__slots__}
    environments = {name: environment_name(asked[name]) for name in ("environment", "against")}
    return State(**asked | environments | {"changes": visit.choice("changes", ("0", "1"))})


def moment_of(visit: Visit, name: str, text: str) -> int | None:
    """Return the moment that a parameter names, in the zone of the reader; None for none.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is not a time.
    """
    return read_time(visit.clock, name, text).low if text else None


def _environment(name: str, text: str) -> event_pb.Environment:
    if not text:
        return event_pb.Environment(0)
    number = number_named(event_pb.Environment.desc(), text)
    if not number:
        raise invalid(FieldViolation(name, f"expected an environment of events, got {text!r}"))
    return event_pb.Environment(number)
