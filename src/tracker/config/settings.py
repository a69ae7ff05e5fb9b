"""Every setting, declared once: name, type, default, what it means."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar
from zoneinfo import ZoneInfo

from tracker.permissions import Permission, read_permissions, show_permissions
from tracker.time_text import hint, read_timedelta, read_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Network, IPv6Network

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_SWITCH = {
    **dict.fromkeys(("on", "true", "yes", "1"), True),
    **dict.fromkeys(("off", "false", "no", "0"), False),
}

_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+")

REFUSALS = (ValueError, LookupError, OSError, RuntimeError)
"""The errors of a `Kind.parse`; `Path.expanduser` raises a RuntimeError."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value.

    `expected` describes the values, for messages. `parse` reads it from text and raises one of `REFUSALS` for
    any other text. `toml` names the TOML types, besides a string, that a file may write it as. `show` writes
    it as text that `parse` reads. `hint` suggests another spelling of a refused text, if there is one. An
    `empty` text counts as not given, unless the kind has such a value.
    """

    expected: str
    parse: Callable[[str], T]
    toml: tuple[type, ...] = ()
    show: Callable[[T], str] = str
    hint: Callable[[str], str] = lambda _: ""
    empty: bool = False


def _path(value: str) -> Path:
    if "\0" in value:
        raise ValueError
    return Path(value).expanduser()


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _origins(value: str) -> tuple[str, ...]:
    origins = _words(value)
    if not all(map(_ORIGIN.fullmatch, origins)):
        raise ValueError
    return origins


def _timezone(value: str) -> ZoneInfo:
    zone = read_zone(value)
    if zone is None:
        raise ValueError
    return zone


TEXT: Kind[str] = Kind("text", str)
MISSING_OR_TEXT: Kind[str | None] = Kind("text", str, show=lambda text: text or "")
SWITCH: Kind[bool] = Kind(
    "on or off", lambda text: _SWITCH[text.lower()], toml=(bool,), show=lambda on: "on" if on else "off"
)
WORDS: Kind[tuple[str, ...]] = Kind("words with commas", _words, show=",".join)
ORIGINS: Kind[tuple[str, ...]] = Kind(
    "origins such as https://portal.example.com, with commas", _origins, show=",".join
)
NETWORKS: Kind[tuple[IPv4Network | IPv6Network, ...]] = Kind(
    "addresses or networks such as 10.0.0.0/8, with commas",
    lambda text: tuple(ip_network(word) for word in _words(text)),
    show=lambda networks: ",".join(map(str, networks)),
)
PATH: Kind[Path] = Kind("a path", _path)
_LOOPBACK = "loopback"
MISSING_OR_PATH: Kind[Path | None] = Kind(
    "a path", _path, show=lambda path: "" if path is None else str(path)
)
PERMISSIONS: Kind[frozenset[Permission] | None] = Kind(
    f"all, none, {_LOOPBACK}, or some of {', '.join(Permission)}, with commas",
    lambda text: None if text.lower() == _LOOPBACK else read_permissions(text),
    show=lambda permissions: _LOOPBACK if permissions is None else show_permissions(permissions),
    empty=True,
)
"""Permissions of callers without credentials, or None: all, if nobody else than this machine can call."""
TIMEZONE: Kind[ZoneInfo] = Kind(
    "a time zone such as UTC or Europe/Paris", _timezone, show=lambda zone: zone.key
)


def whole(low: int, high: int, noun: str = "a whole number") -> Kind[int]:
    """Return the kind of whole numbers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not low <= (value := int(text[:20])) <= high:
            raise ValueError
        return value

    return Kind(f"{noun} from {low} to {high}", parse, toml=(int,))


def seconds(low: float, high: float) -> Kind[float]:
    """Return the kind of a duration from `low` to `high` seconds, both included; a bare number is seconds."""

    def parse(text: str) -> float:
        duration = read_timedelta(text)
        value = float(text) if duration is None else duration.total_seconds()
        if math.isnan(value) or not low <= value <= high:
            raise ValueError
        return value

    expected = f"seconds from {low:g} to {high:g}"
    return Kind(expected, parse, toml=(int, float), show=lambda value: f"{value:g}", hint=hint)


def choice(of: type[E], also: Mapping[str, E] | None = None) -> Kind[E]:
    """Return the kind of the values of an enumeration, in any case; `also` gives further spellings."""
    known = {member.value: member for member in of} | dict(also or {})
    expected = "one of " + ", ".join(member.value for member in of)
    return Kind(expected, lambda text: known[text.lower()])


_PORT = whole(0, 65535, "a port")


class LogLevel(StrEnum):
    """The minimum level of the lines to log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of log lines; `AUTO` is text on a terminal and JSON anywhere else."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """The declaration of one setting.

    `name` is its key in a configuration file; `variable` and `flag` follow from it. The value of a
    `secret` setting is never printed.
    """

    name: str
    kind: Kind[T]
    default: T
    help: str
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return self.name.upper()

    @property
    def flag(self) -> str:
        """The flag of `tracker serv` that sets it."""
        return "--" + self.name.replace("_", "-")


def _setting(kind: Kind[T], help_: str, default: T, *, secret: bool = False) -> T:
    declared: T = field(
        default=default, repr=not secret, metadata={"kind": kind, "help": help_, "secret": secret}
    )
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server."""

    host: str = _setting(
        TEXT,
        "Address to listen on; `localhost` is the loopback interface, `::` every interface, IPv6 and IPv4.",
        "localhost",
    )
    grpc_port: int = _setting(_PORT, "Port of the gRPC API; 0 selects a free one.", 8765)
    http_port: int = _setting(
        _PORT, "Port of the REST API, its documentation and the probes; 0 selects a free one.", 8080
    )
    metrics_port: int = _setting(_PORT, "Port of `/metrics`; 0 selects a free one.", 8081)
    database_path: Path = _setting(
        PATH,
        "File of the embedded store; created with its folder if missing.",
        Path("data/tracker.db"),
    )
    mongo_uri: str | None = _setting(
        MISSING_OR_TEXT,
        "URI of a MongoDB database, for several servers; replaces the embedded store.",
        None,
        secret=True,
    )
    auth_anonymous_permissions: frozenset[Permission] | None = _setting(
        PERMISSIONS,
        "What callers without credentials may do, such as `event:read,lock:read`; empty: nothing; `all`:"
        " everything but manage access; `loopback`: everything, and others than this machine can't call.",
        None,
    )
    auth_jobs_file: Path | None = _setting(
        MISSING_OR_PATH, "TOML file with the rules for CI jobs, by which their id tokens are accepted.", None
    )
    auth_admin_password: str | None = _setting(
        MISSING_OR_TEXT, "First password of the user `admin`, who is created with it.", None, secret=True
    )
    auth_session_ttl: float = _setting(
        seconds(60, 2_592_000), "How long people stay logged in.", default=43_200.0
    )
    auth_public_url: str = _setting(
        TEXT, "Address under which people reach this server, such as `https://tracker.example.com`.", ""
    )
    tls_cert: Path | None = _setting(
        MISSING_OR_PATH, "PEM file with the certificate of this server, and those that vouch for it.", None
    )
    tls_key: Path | None = _setting(MISSING_OR_PATH, "PEM file with the key of that certificate.", None)
    tls_client_ca: Path | None = _setting(
        MISSING_OR_PATH,
        "PEM file with authorities: only clients with a certificate of theirs are let in.",
        None,
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        NETWORKS,
        "Addresses of proxies, such as `10.0.0.0/8`, whose `X-Forwarded-For` says who calls.",
        (),
    )
    allowed_hosts: tuple[str, ...] = _setting(
        WORDS,
        "Names under which clients call this server, such as `tracker.example.com,*.internal`; addresses and"
        " `localhost` need not be named.",
        (),
    )
    cors_allowed_origins: tuple[str, ...] = _setting(
        ORIGINS,
        "Origins of other sites whose pages may call the API, such as `https://portal.example.com`.",
        (),
    )
    log_level: LogLevel = _setting(
        choice(LogLevel, {"warn": LogLevel.WARNING}),
        "Minimum log level: debug, info, warning or error.",
        LogLevel.INFO,
    )
    log_format: LogFormat = _setting(
        choice(LogFormat),
        "Log format: `json`, `text`, or `auto`, which is text on a terminal, else JSON.",
        LogFormat.AUTO,
    )
    timezone: ZoneInfo = _setting(
        TIMEZONE, "Time zone (IANA name) in which days begin and end.", ZoneInfo("UTC")
    )
    locks_auto: bool = _setting(
        SWITCH, "Whether deployments and operations under way take a lock: on or off.", default=True
    )
    locks_auto_ttl: float = _setting(
        seconds(0, 604_800),
        "How long such a lock lasts after the last update of its event; 0: until released.",
        14_400.0,
    )
    call_timeout: float = _setting(
        seconds(0.001, 600), "Longest time a call may take, whatever its client allows.", 30.0
    )
    unsent_answers_mib: int = _setting(
        whole(16, 1_000_000),
        "Memory, in MiB, for answers that are not yet sent; beyond it, calls get 429.",
        default=64,
    )
    shutdown_drain: float = _setting(
        seconds(0, 300),
        "How long a stopping server still accepts calls, while `/readyz` answers 503.",
        0.0,
    )
    shutdown_grace: float = _setting(
        seconds(0, 300), "How long a stopping server then waits for calls under way.", 25.0
    )
    rate_limit_enabled: bool = _setting(
        SWITCH, "Whether the number of calls of each caller is limited: on or off.", default=True
    )
    rate_limit_requests_per_second: int = _setting(
        whole(1, 1_000_000), "Calls a second that a caller may make, on each server.", default=100
    )
    rate_limit_burst: int = _setting(
        whole(1, 1_000_000), "Calls that a caller may make at once, before that rate applies.", default=200
    )
    locks_per_principal: int = _setting(
        whole(1, 1_000_000), "Locks that a principal may hold; callers without credentials any.", default=100
    )
    changes_kept: int = _setting(
        whole(1_000, 1_000_000_000),
        "Minimum number of changes kept, from which watches and consumers continue.",
        100_000,
    )
    audit_key_file: Path | None = _setting(
        MISSING_OR_PATH,
        "File of the key that signs the audit log, created if missing; not set: beside `DATABASE_PATH`; with"
        " MongoDB a key for as long as the server runs.",
        None,
    )
    audit_kept_days: int = _setting(
        whole(0, 36_500), "How long entries of the audit log are kept, in days; 0: forever.", 400
    )
    max_service_labels: int = _setting(
        whole(0, 1_000_000),
        "Maximum number of values of the label `service` in metrics; the rest count as `other`.",
        1000,
    )
    jira_domain: str = _setting(TEXT, "For `/config.js`: Jira domain.", default="your-domain.atlassian.net")
    jira_project_key: str = _setting(TEXT, "Jira project key.", default="")
    slack_workspace: str = _setting(TEXT, "Slack workspace.", default="your-workspace")
    slack_events_channel: str = _setting(TEXT, "Slack channel.", default="")
    demo_mode: bool = _setting(SWITCH, "Demo mode: on or off.", default=False)
    buy_me_coffee_url: str = _setting(
        TEXT, "Address for donations.", default="https://buymeacoffee.com/jplanckeel"
    )
    homer_url: str = _setting(TEXT, "Homer dashboard.", default="")
    clarity_project_id: str = _setting(TEXT, "Clarity project.", default="")


SETTINGS: Mapping[str, Setting[object]] = {
    f.name: Setting(f.name, default=f.default, **f.metadata) for f in fields(Settings)
}
"""Every setting by name, in the order of declaration."""
