"""`tracker healthcheck`: checks the health of the server on this machine, for containers."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.settings import takes_settings
from tracker.cli.times import duration_option
from tracker.config import Configuration

_EVERYWHERE = ("::", "0.0.0.0")  # noqa: S104  # names to compare with, nothing is bound
_OK = 200


@takes_settings("host", "http_port")
def healthcheck(
    configuration: Configuration,
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
    import http.client

    settings = configuration.settings
    host = "localhost" if settings.host in _EVERYWHERE else settings.host
    seconds = 3.0 if timeout is None else max(0.1, timeout.total_seconds())
    path = "/livez" if live else "/readyz"
    connection = http.client.HTTPConnection(host, settings.http_port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(1000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"no answer from http://{host}:{settings.http_port}{path}: {error}") from None
    finally:
        connection.close()
    if answer.status != _OK:
        raise CommandError(f"{path} answered {answer.status}: {' '.join(body.split())}")
