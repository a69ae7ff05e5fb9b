"""`tracker serv`: the server."""

from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.errors import CommandError
from tracker.cli.exits import INTERRUPTED
from tracker.cli.settings import takes_settings
from tracker.config import SETTINGS, Configuration, ineffective_variables

if TYPE_CHECKING:
    import asyncio

    from structlog.typing import FilteringBoundLogger

    from tracker.config import Settings

_GC_THRESHOLDS = (50_000, 20, 50)
"""New objects between garbage collections; a call makes some hundred, and leaves no cycles."""

_OPEN_FILES = 65_536


@takes_settings()
def serve(configuration: Configuration) -> None:
    """Run the server.

    SIGTERM or Ctrl-C stops it gracefully; a second one stops it at once.
    """
    settings = configuration.settings
    import uvloop

    from tracker.stores.base import StoreOpenError
    from tracker.telemetry.logs import make_logger, stdlib_routed

    out = sys.stdout or Path(os.devnull).open("wb")  # noqa: SIM115  # there is none when it was closed at start
    log = make_logger(settings.log_level, settings.log_format.value, out)
    for name in ineffective_variables(os.environ):
        log.warning("environment variable has no effect", variable=name, reason="MONGO_URI takes its place")
    _allow_many_connections()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the server handles it
    try:
        with stdlib_routed(log):
            uvloop.run(_run(settings, log))
    except StoreOpenError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(_explained(error, settings)) from None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files: a thousand watches are as many connections, and 1,024 is usual."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(settings: Settings, log: FilteringBoundLogger) -> None:
    from tracker.app import App

    stopping = _stop_signal()
    async with App(settings, log):
        # What is here now stays; searching it for garbage again and again would cost a tenth of all calls.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        await stopping.wait()


def _stop_signal() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets; a second one ends the process at once.

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
