"""`tracker serv`, `config` and `healthcheck`: the server of this machine and its settings."""

from __future__ import annotations

import ctypes
import errno
import gc
import ipaddress
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracker.cli.exits import INTERRUPTED, WRONG_SETTING, CommandError
from tracker.cli.helped import Options
from tracker.cli.options import option, output_option
from tracker.cli.printing import Output, print_document, say
from tracker.cli.tables import line_printer
from tracker.cli.time_options import duration_option
from tracker.config import CONFIG_VARIABLE, Configuration, ConfigurationError, ineffective_variables, load
from tracker.config.settings import SETTINGS

if TYPE_CHECKING:
    import asyncio
    import inspect
    from collections.abc import Mapping

    from structlog.typing import FilteringBoundLogger

    from tracker.config.settings import Setting, Settings

_FILE = option(
    "config",
    Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Configuration file, TOML ({CONFIG_VARIABLE}).")
    ],
)

_M_ARENA_MAX = -8
"""The parameter of GNU's `mallopt` for how many heaps a process has."""
_OPEN_FILES = 65_536

_OK = 200


def settings_options(*names: str) -> Options:
    """Return `--config` and flags for the settings named, or for all; they make a `Configuration`.

    A secret has no flag, since every user of the machine can read the arguments of a process.
    """
    flags = [_flag(SETTINGS[name]) for name in names or SETTINGS if not SETTINGS[name].secret]
    return Options([_FILE, *flags], _configuration)


def _configuration(given: Mapping[str, Any]) -> Configuration:
    try:
        return configuration_of(given)
    except ConfigurationError as error:
        raise CommandError("\n".join(error.problems), WRONG_SETTING) from None


def configuration_of(given: Mapping[str, Any]) -> Configuration:
    """Return the settings that the command line, the environment and the file give.

    Raises:
        ConfigurationError: The file or a value is wrong.
    """
    texts = {name: value for name, value in given.items() if name != _FILE.name}
    return load(flags=texts, environ=os.environ, file=given[_FILE.name])


def _flag(setting: Setting[object]) -> inspect.Parameter:
    default = setting.kind.show(setting.default)
    help_ = f"{setting.help} ({setting.variable}{default and f'; default {default}'})"
    declared = typer.Option(setting.flag, metavar="VALUE", help=help_)
    return option(setting.name, Annotated[str | None, declared])


def serve(configuration: Annotated[Configuration, settings_options()]) -> None:
    """Run the server.

    SIGTERM or Ctrl-C stops it gracefully; a second one stops it at once.
    """
    settings = configuration.settings
    import uvloop

    from tracker.errors import SetupError
    from tracker.stores.base import StoreOpenError
    from tracker.telemetry.logs import make_logger, stdlib_routed

    out = sys.stdout or Path(os.devnull).open("wb")  # noqa: SIM115 - there is none when it was closed at start
    log = make_logger(settings.log_level, settings.log_format.value, out)
    for name in ineffective_variables(os.environ):
        log.warning("environment variable has no effect", variable=name, reason="MONGO_URI takes its place")
    require_access_control(settings)
    _allow_many_connections()
    _share_one_heap()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the server handles it
    try:
        with stdlib_routed(log):
            uvloop.run(_run(settings, log))
    except (SetupError, StoreOpenError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(_explained(error, settings)) from None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def require_access_control(settings: Settings) -> None:
    """Refuse to listen for others while nothing says what callers without credentials may do."""
    if settings.auth_anonymous_permissions is not None or _is_loopback(settings.host):
        return
    raise CommandError(
        f"HOST={settings.host} lets other machines call this server, which has no access control. Set"
        " AUTH_ANONYMOUS_PERMISSIONS: empty, or such as event:read,lock:read, so that all else needs a token"
        " (the first start prints one; tracker token create --name ci --allow event:write,lock:write gives"
        " more); or to `all`, so that whoever reaches the server may do everything but manage access"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":  # also where nothing resolves names, as in a bare root file system
        return True
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False  # listening will say what is wrong with it
    return all(ipaddress.ip_address(str(each[4][0]).partition("%")[0]).is_loopback for each in found)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files: a thousand watches are as many connections, and 1,024 is usual."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _share_one_heap() -> None:
    """Let all threads use one heap: what a thread of the store frees is otherwise of no use to the others."""
    with suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


async def _run(settings: Settings, log: FilteringBoundLogger) -> None:
    from tracker.app import App

    stopping = _stop_signal()
    async with App(settings, log) as app:
        if app.access.first_key is not None:
            say("a token that may do everything, shown only once:")
            say(app.access.first_key)
        # What is here now stays; searching it for garbage again and again would cost a tenth of all calls.
        gc.collect()
        gc.freeze()
        await stopping.wait()


def _stop_signal() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets; a second one ends the process at once.

    SIGHUP sets it too, unless whoever started the process has it ignored, as `nohup` does.
    Signals are handled before the server starts: an interrupt inside gRPC's constructors crashes the process.
    """
    import asyncio

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not left to the system: it ends the first process of a container for no unhandled signal.
            loop.add_signal_handler(number, os._exit, 128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # Also a second time: of a terminal that closes, the system sends one, and the shell another.
        loop.add_signal_handler(signal.SIGHUP, stopping.set)
    return stopping


def _explained(error: OSError, settings: Settings) -> str:
    """Return why the server can't start and, for an address, what to do about that."""
    text = error.strerror or str(error)
    for name in ("grpc_port", "http_port", "metrics_port"):
        if f":{getattr(settings, name)}:" in text:
            port = SETTINGS[name].variable
            if error.errno == errno.EADDRINUSE:
                return f"{text}; stop what listens there, or set {port} to another port"
            return f"{text}; set {SETTINGS['host'].variable} or {port} to what this machine allows"
    return f"{text}: {error.filename}" if error.filename else text


def config(
    configuration: Annotated[Configuration, settings_options()],
    *,
    output: Annotated[
        Output, output_option("`text` is itself a configuration file.", Output.JSON, Output.YAML)
    ] = Output.TEXT,
) -> None:
    """Print the effective settings.

    Prints the source of each, and masks secrets.
    """
    shown = {name: configuration.shown(setting) for name, setting in SETTINGS.items()}
    if output is not Output.TEXT:
        sources = configuration.sources
        print_document(
            {name: {"value": value, "source": sources[name]} for name, value in shown.items()}, output
        )
        return
    lines = {name: f"{name} = {_toml(value)}" for name, value in shown.items()}
    width, print_line = max(map(len, lines.values())), line_printer()
    for name, line in lines.items():
        print_line([(line.ljust(width), ""), (f"# {configuration.sources[name]}", "dim")])


def _toml(value: object) -> str:
    """Return a value as TOML, which writes the numbers, switches and text of settings as JSON does."""
    return json.dumps("" if value is None else value, ensure_ascii=False)


def healthcheck(
    configuration: Annotated[
        Configuration, settings_options("host", "http_port", "metrics_port", "tls_cert", "tls_client_ca")
    ],
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Check whether it runs, not whether it is ready.")
    ] = False,
    timeout: Annotated[
        timedelta | None, duration_option("How long to wait for the answer.  [default: 3s]")
    ] = None,
) -> None:
    """Check the health of the local server.

    Exits with 0 if it is ready, else with 1.
    """
    from tracker.diagnosis.network import ask, host_of

    settings = configuration.settings
    host, https = host_of(settings), settings.tls_cert is not None
    # Of a server that wants certificates of its clients, the port of metrics doesn't.
    port = settings.http_port if settings.tls_client_ca is None else settings.metrics_port
    seconds = 3.0 if timeout is None else max(0.1, timeout.total_seconds())
    path = "/livez" if live else "/readyz"
    try:
        answer = ask(host, port, path, https=https, timeout=seconds)
    except OSError as error:
        url = f"{'https' if https else 'http'}://{host}:{port}{path}"
        raise CommandError(f"no answer from {url}: {error.strerror or error}") from None
    if answer.status != _OK:
        body = answer.body[:1_000].decode(errors="replace")
        raise CommandError(f"{path} answered {answer.status}: {' '.join(body.split())}")
