"""The options of a freeze window."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import partial
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import typer

from tracker.cli import completing
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.helped import Options
from tracker.cli.local_time import local_zone
from tracker.cli.options import option
from tracker.time_text import TIME, Clock, datetime_of, read_zone

if TYPE_CHECKING:
    from tracker.pb import freeze_pb

    R = TypeVar("R", freeze_pb.CreateFreezeWindowRequest, freeze_pb.UpdateFreezeWindowRequest)

_SEVERAL: Final = list[str] | None
_SHORT: Final = re.compile(r"(?=\d)(\d+w)?(\d+d)?((?:\d+h)?(?:\d+m)?(?:\d+s)?)", re.IGNORECASE)


class FreezeFields(NamedTuple):
    """What options say of a freeze window, by the names of its fields."""

    given: Mapping[str, Any]

    @property
    def moves(self) -> bool:
        """Whether a time is given."""
        return not self.given.keys().isdisjoint({"starts_at", "ends_at", "duration"})

    def zone(self, otherwise: str = "") -> ZoneInfo:
        """Return the zone that is given, or otherwise one of this name, or that of this machine.

        Raises:
            CommandError: It is unknown.
        """
        name = str(self.given.get("timezone", otherwise))
        zone = read_zone(name) if name else local_zone()
        if zone is None:
            raise CommandError(f"expected a time zone such as Europe/Paris, got {name!r}", USAGE)
        return zone

    def onto(self, request: R) -> R:
        """Set these fields of a request, and return it; times are those of its zone.

        Raises:
            CommandError: One is wrong.
        """
        from protobuf.wkt import Timestamp

        from tracker.pb import freeze_pb

        given = dict(self.given)
        clock = Clock(time.time_ns() // 1_000, self.zone(request.timezone))
        for name in given.keys() & {"starts_at", "ends_at"}:
            found = clock.read(given[name])
            if found is None:
                raise CommandError(f"expected {TIME}, got {given[name]!r}", USAGE)
            given[name] = Timestamp.from_datetime(datetime_of(found.low))
        if "soft" in given:
            soft, kinds = given.pop("soft"), freeze_pb.FreezeType
            request.type = kinds.SOFT if soft else kinds.HARD
        if "ends_at" in given:
            request.duration = ""
        for name, value in given.items():
            setattr(request, name, value)
        return request


def freeze_options(*, begins: bool, times: bool = True) -> Options:
    """Return the options of a freeze window: of a new one, which begins some time, or of one that is changed.

    Without `times`, they don't say when it is in effect.
    """
    declared = [*_declared(begins=begins, times=times)]

    def make(given: Mapping[str, Any]) -> FreezeFields:
        said = {name: value for name, value in given.items() if value is not None and value != []}
        if begins:
            said = {"soft": False, "timezone": local_zone().key} | said
        return FreezeFields(said)

    return Options(declared, make)


def _declared(*, begins: bool, times: bool) -> list[Parameter]:
    what = "it is for" if begins else "it is for, in place of those before"
    start = partial(_option, "starts_at", flag="--from", metavar="LOCAL-TIME")
    of_times = [
        start("When it begins, the first time.", str, default=Parameter.empty)
        if begins
        else start("When it begins."),
        _option(
            "ends_at",
            "When it ends, the first time; each lasts as long.",
            flag="--until",
            metavar="LOCAL-TIME",
        ),
        _option(
            "duration",
            "How long each lasts, such as 2d16h: days of the calendar, and exact hours.",
            flag="--for",
            metavar="LENGTH",
            parser=_length,
        ),
        _option("rrule", "When it repeats, such as FREQ=WEEKLY;BYDAY=FR.", flag="--repeat", metavar="RRULE"),
        _option(
            "exceptions", "When it does not; may be repeated.", _SEVERAL, flag="--except", metavar="DATE"
        ),
        _option("active", "Whether it is in effect at all.", bool | None, flag="--on/--off"),
    ]
    names = partial(_option, of=_SEVERAL, metavar="NAME")
    return [
        *(of_times if times else ()),
        _option(
            "timezone",
            "Time zone of its days, such as Europe/Paris.  [default: yours]",
            flag="--time-zone",
            metavar="ZONE",
        ),
        _option("soft", "Whether it only warns.", bool | None, flag="--soft/--hard"),
        names(
            "services",
            f"Service that {what}; `*` stands for any text. May be repeated.",
            flag="--service",
            autocompletion=completing.values_of("service"),
        ),
        names("environments", f"Environment that {what}.", flag="--environment"),
        names("teams", f"Owner of the services that {what}.", flag="--team"),
        _option("description", "What a reader should know.", flag="--description", metavar="TEXT"),
    ]


def _option(
    name: str,
    help_: str,
    of: object = str | None,
    *,
    flag: str,
    default: object = None,
    **settings: Any,  # noqa: ANN401 - those of typer
) -> Parameter:
    return option(name, Annotated[of, typer.Option(flag, help=help_, **settings)], default)


def _length(text: str) -> str:
    """Return a length as iCalendar has it."""
    if text.upper().startswith("P"):
        return text.upper()
    found = _SHORT.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"expected a length such as 8h, 2d16h or P2DT16H, got {text!r}")
    weeks, days, exact = found.groups(default="")
    whole = 7 * int(weeks[:-1] or 0) + int(days[:-1] or 0)
    return f"P{f'{whole}D' if whole else ''}{f'T{exact}' if exact else ''}".upper()
