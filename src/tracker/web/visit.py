"""One visit of a page: who looks, at what, when and in which time zone."""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode

from tracker import time_text
from tracker.domain.query.fields import BY_NAME
from tracker.errors import FieldViolation, Reason, TrackerError, nearest
from tracker.permissions import Permission
from tracker.services.context import permission_required
from tracker.transcoding.unknown import Unknown, refusal
from tracker.web.forms import NO_FORM, NOTICE, SECRETS, csrf_of
from tracker.web.times import Times

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Mapping

    from protobuf import Message

    from tracker.api.login import LoginRoutes
    from tracker.api.routes import HttpRequest
    from tracker.api.rpcs import Rpcs
    from tracker.services.context import Call

T = TypeVar("T")
M = TypeVar("M", bound="Message")

_MAX_PARAMETERS = 100
_HINTS = 3
"""Unknown parameters for which it is looked what may have been meant."""
_THEMES = ("light", "dark")
_SHOWN = 100
"""Characters that are shown of a wrong value."""


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of a page: what it shows, or why it can't; while `pending`, the browser asks for it again."""

    value: T | None
    error: TrackerError | None = None
    pending: bool = False


class Visit:
    """What the handler of a page works with."""

    def __init__(
        self, request: HttpRequest, call: Call, rpcs: Rpcs, login: LoginRoutes, clock: time_text.Clock
    ) -> None:
        self.captures = request.captures
        self._path = request.path
        self.call = call
        self._rpcs = rpcs
        self._login = login
        self._known = dict[str, None]()
        self._wrong = dict[str, FieldViolation]()
        if (count := request.query.count("&") + 1) > _MAX_PARAMETERS:
            self.ignore("", f"at most {_MAX_PARAMETERS} parameters", count)
        self.pairs = tuple(
            parse_qsl(request.query, keep_blank_values=True, errors="replace")
            if count <= _MAX_PARAMETERS
            else ()
        )
        self.cookies = cookies = _cookies(call.headers.get("cookie", ""))
        self.headers: list[tuple[str, str]] = []
        """What the answer has besides the headers of every page."""
        self.notice = cookies.get(NOTICE, "")
        self.csrf = csrf_of(call)
        self.form = NO_FORM
        self._changes = 0
        self.theme = theme if (theme := cookies.get("theme", "")) in _THEMES else ""
        asked, usual = self.one("zone"), cookies.get("zone", "")
        zone = time_text.read_zone(asked) if asked else None
        if asked and zone is None:
            self.ignore("zone", "a time zone such as Europe/Paris", asked)
        self.asked_zone = zone.key if zone else ""
        zone = zone or (time_text.read_zone(usual) if usual else None)
        self.clock = time_text.Clock(clock.now, zone or clock.zone)
        self.server_zone = clock.zone.key
        self.times = Times(self.clock)

    @property
    def address_path(self) -> str:
        """The path of this page, escaped."""
        return self._path

    @property
    def login(self) -> str:
        """The address to log in at, and to come back from to this page."""
        return address("/login", {"redirect": self.here(self._path)})

    @property
    def kept(self) -> Mapping[str, str]:
        """What the form had, without secrets, if the session it was shown to has ended; otherwise nothing."""
        if self.call.session or not self.form.sent.get("csrf"):
            return {}
        return {name: value for name, value in self.form.sent.items() if name not in SECRETS}

    @property
    def narrowed(self) -> str:
        """What the reader's events are narrowed to, such as `service cart or shop-*`; "" for no limit."""
        scopes = self.call.principal.scopes(Permission.EVENT_READ) or ()
        said = [
            " and ".join(f"{name} {' or '.join(values)}" for name, values in kinds if values)
            for kinds in (
                (("service", each.services), ("environment", each.environments), ("team", each.teams))
                for each in scopes
            )
        ]
        return ", or to ".join(said)

    @property
    def zone(self) -> str:
        """The name of the zone that times are shown in."""
        return self.clock.zone.key

    @property
    def ignored(self) -> str:
        """What of the address nothing has looked for until now, or could use; "" for nothing."""
        said = [each.sentence for each in self._wrong.values()]
        if names := list(dict.fromkeys(name for name, _ in self.pairs if name not in self._known)):
            known = [*self._known, *(f"q={field}:…" for field in BY_NAME if "q" in self._known)]
            hinted = [Unknown("parameter", name, nearest(name, known)) for name in names[:_HINTS]]
            said.append(refusal([*hinted, *(Unknown("parameter", name) for name in names[_HINTS:])]).message)
        return "; ".join(said)

    def refuse_ignored(self) -> None:
        """Check that nothing of the address is ignored: a file can't warn of it.

        Raises:
            TrackerError: INVALID_ARGUMENT; something is.
        """
        if ignored := self.ignored:
            raise TrackerError(Reason.INVALID_FIELD, ignored, violations=[*self._wrong.values()])

    def ignore(self, name: str, expected: str, got: object, hint: str = "") -> None:
        """Have the page say that a parameter is not what is expected of it."""
        self._wrong[name] = FieldViolation(name, f"expected {expected}, got {repr(got)[:_SHOWN]}{hint}")

    def all(self, name: str) -> list[str]:
        """Return the values of a parameter of the address, as they are."""
        self._known[name] = None
        return [value for key, value in self.pairs if key == name]

    def one(self, name: str) -> str:
        """Return the last value of a parameter of the address, without the spaces around it."""
        return next(reversed(self.all(name)), "").strip()

    def choice(self, name: str, known: Collection[str], otherwise: str = "") -> str:
        """Return which of the known values a parameter has, in any case, or `otherwise`; ignore others."""
        value = self.one(name)
        found = next((each for each in known if each.lower() == value.lower()), "")
        if value and not found:
            words = [each for each in known if each]
            self.ignore(name, f"{'one of ' if len(words) > 1 else ''}{', '.join(words)}", value)
        return found or otherwise

    def several(self, name: str) -> tuple[str, ...]:
        """Return the values of a parameter of the address; each may name several, with commas."""
        return tuple(dict.fromkeys(each for value in self.all(name) for each in value.split(",") if each))

    def here(self, path: str, **changes: str) -> str:
        """Return the address of this page with other values of some parameters; "" removes one."""
        self._known |= dict.fromkeys(changes)
        kept = [(key, value) for key, value in self.pairs if key not in changes]
        return address(path, [*kept, *((key, value) for key, value in changes.items() if value)])

    def there(self, path: str) -> str:
        """Return the address of a page that follows this one, in the zone that this address names."""
        before, hashed, fragment = path.partition("#")
        if not self.asked_zone or "zone=" in before:
            return path
        mark = "&" if "?" in before else "?"
        return f"{before}{mark}{urlencode({'zone': self.asked_zone})}{hashed}{fragment}"

    def ask(self, request: Message, answer: type[M]) -> Awaitable[M]:
        """Ask an RPC with the rights of the reader.

        Raises:
            TrackerError: As the RPC does.
        """
        return self._rpcs.ask(request, answer, self.call)

    def change(self, request: Message, answer: type[M], name: str = "") -> Awaitable[M]:
        """Ask an RPC that changes something, for the form that was sent; once, however often that is sent.

        Changes that are made at once have names, by which they are known again.

        Raises:
            TrackerError: As the RPC does.
        """
        self._changes += 1
        return self._rpcs.change(request, answer, self.call, f"{self.form.digest}-{name or self._changes}")

    async def change_password(self, current: str, new: str) -> None:
        """Change the password of the reader, whose browser gets a new session with the answer.

        Raises:
            TrackerError: As `POST /api/v1alpha1/auth/password` does.
        """
        self.headers += await self._login.change_password(self.call, current, new)

    def require(self, permission: str) -> None:
        """Check that the reader has a permission, before anything that was entered is.

        Raises:
            TrackerError: UNAUTHENTICATED or PERMISSION_DENIED.
        """
        if not self.call.principal.may(Permission(permission)):
            raise permission_required(self.call.principal, Permission(permission))

    def may(self, permission: str, service: str = "", environment: str = "", team: str = "") -> bool:
        """Return whether the reader has a permission, for a record of this service, environment and team."""
        return self.call.principal.may_touch(Permission(permission), service, environment, team)


async def part(value: Awaitable[T]) -> Part[T]:
    """Return what an awaitable returns, or the error that it raises: other parts of the page still show."""
    try:
        return Part(await value)
    except TrackerError as error:
        return Part(None, error)


def address(path: str, parameters: Mapping[str, str] | list[tuple[str, str]]) -> str:
    """Return an address of this server."""
    query = urlencode(parameters)
    return f"{path}?{query}" if query else path


def _cookies(header: str) -> Mapping[str, str]:
    try:
        return {name: unquote(morsel.value) for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
