"""`tracker top`: what a server does, second by second."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple
from urllib.parse import urlsplit

import typer

from tracker.cli.calls import Api
from tracker.cli.exits import UNREACHABLE, USAGE, CommandError
from tracker.cli.options import address, api_options
from tracker.cli.printing import Output, echo, print_document, print_json, say, terminal_width
from tracker.cli.tables import Column, line_printer, print_rows
from tracker.cli.time_options import duration_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.cli.operating.samples import Activity, Scrape
    from tracker.client.connection import Connection
    from tracker.pb import lock_pb

_METRICS_PORT = 8081
_LOCKS = 200
"""Locks that are asked for; a terminal shows those that fit."""
_SHORTEST = timedelta(milliseconds=200)
_HEADERS, _LEAST_ROWS = 5, 3
"""Lines that have neither a call nor a lock, nor sum up a view; and the least rows of either."""
_COLUMNS = (
    Column("CALL", least=18),
    Column("PER SECOND", least=6),
    Column("P50 MS", rank=2, least=6),
    Column("P99 MS", rank=1, least=6),
    Column("FAILED", rank=3, least=6),
)
_HOME, _CLEAR = "\x1b[H", "\x1b[J"
_ALTERNATE, _NORMAL = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class _View(NamedTuple):
    """What is shown: activity, and the held locks, the oldest first, or why these are not known."""

    server: str
    activity: Activity
    locks: Sequence[lock_pb.Lock] = ()
    unknown: str = ""


def top(
    *,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            envvar="TRACKER_METRICS",
            metavar="URL",
            parser=address,
            help="URL of the port of metrics.  [default: port 8081 of the server]",
        ),
    ] = None,
    interval: Annotated[
        timedelta | None, duration_option("Time between two requests to the server.  [default: 2s]")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show one interval, then end.")] = False,
    api: Annotated[
        Api,
        api_options(
            "`json` and `yaml` print one interval, `ndjson` a line for each.",
            *(Output.JSON, Output.NDJSON, Output.YAML),
        ),
    ],
) -> None:
    """Show calls by RPC, locks, watches, callers and the store of a running server, until Ctrl-C.

    Without a terminal, one interval is shown. The numbers are those of one server, from its /metrics, which
    needs the permission `metrics:read`; held locks need `lock:read`.

    Example: tracker top --once
    """
    pause = timedelta(seconds=2) if interval is None else interval
    if pause < _SHORTEST:
        raise CommandError("--interval: expected at least 200ms", USAGE)
    live = sys.stdout.isatty() and api.output is Output.TEXT and not once
    goes_on = live or (api.output is Output.NDJSON and not once)
    lost = (_show_lost if live else say) if goes_on else None
    views = _views(api, metrics or _metrics_of(api.server), pause.total_seconds(), lost)
    try:
        if live:
            _show_live(views)
        for view in views:
            _print_view(view, api.output)
            if once or api.output is not Output.NDJSON:
                return
    except KeyboardInterrupt:
        return


def _metrics_of(server: str) -> str:
    parts = urlsplit(server)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{_METRICS_PORT}"


def _views(api: Api, metrics: str, pause: float, lost: Callable[[str], None] | None) -> Iterator[_View]:
    """Yield what is to be shown, after each pause; `lost` is told that the server is away.

    Without it, that is an error.
    """
    from tracker.cli.credentials import credential_for
    from tracker.cli.operating.samples import Activity
    from tracker.client.connection import Connection

    given = credential_for(api.server, api.token_file)
    with (
        Connection(metrics, token=given.token, plain_http=given.plain_http) as source,
        api.connected(given, send_kept=False) as server,
    ):
        before = _scraped(source)
        while True:
            time.sleep(pause)
            after = _scraped(source) if lost is None else _scraped_again(source, pause, lost)
            yield _with_locks(_View(api.server, Activity(before, after)), server)
            before = after


def _scraped(connection: Connection) -> Scrape:
    from tracker.client.failures import ApiError

    try:
        return _scrape(connection)
    except ApiError as error:
        hint = "; --metrics or TRACKER_METRICS names another address"
        raise CommandError(error.message + hint, UNREACHABLE) from None


def _scraped_again(connection: Connection, pause: float, lost: Callable[[str], None]) -> Scrape:
    """Return the metrics of a server as soon as it is there again."""
    from tracker.client.failures import ApiError
    from tracker.errors import Code

    told = False
    while True:
        try:
            return _scrape(connection)
        except ApiError as error:
            if error.code != Code.UNAVAILABLE:
                raise CommandError(error.message) from None
            if not told:
                lost(f"{error.message}; trying again")
                told = True
            time.sleep(pause)


def _scrape(connection: Connection) -> Scrape:
    from tracker.cli.operating.samples import scrape

    try:
        found = scrape(connection.content("/metrics").decode(), time.monotonic())
    except ValueError:
        found = None
    if found is None or not found.label("tracker_build_info", "version"):
        raise CommandError(f"{connection.server}/metrics has no metrics of a server; see --metrics")
    return found


def _with_locks(view: _View, server: Connection) -> _View:
    from tracker.client.failures import ApiError
    from tracker.client.rpcs import LIST_LOCKS

    try:
        found = server.call(LIST_LOCKS, LIST_LOCKS.of({"perPage": _LOCKS}), patience=0).locks
    except ApiError as error:
        return view._replace(unknown=error.message)
    return view._replace(locks=found[::-1])


def _print_view(view: _View, output: Output) -> None:
    if output is Output.TEXT:
        _print_text(view, sys.maxsize)
        return
    from tracker.cli.printing import json_of

    document = {"server": view.server, **view.activity.document()}
    document["locks"] = [json_of(each, output) for each in view.locks]
    if output is Output.NDJSON:
        print_json(document)
        sys.stdout.flush()
    else:
        print_document(document, output)


def _show_live(views: Iterator[_View]) -> None:
    """Show one view after the other on a screen of its own."""
    with _screen():
        echo("the first numbers come after one interval; Ctrl-C ends")
        for view in views:
            sys.stdout.write(_HOME + _CLEAR)
            _print_text(view, shutil.get_terminal_size().lines - _HEADERS)
            sys.stdout.flush()


def _show_lost(message: str) -> None:
    sys.stdout.write(_HOME + _CLEAR)
    echo(message)
    sys.stdout.flush()


@contextmanager
def _screen() -> Iterator[None]:
    sys.stdout.write(_ALTERNATE + _HOME)
    try:
        yield
    finally:
        sys.stdout.write(_NORMAL)
        sys.stdout.flush()


def _print_text(view: _View, rows: int) -> None:
    """Print a view in so many rows of a summary, calls and locks."""
    from tracker.cli.lock.shown import LOCKS

    activity = view.activity
    head = [*_head(view)]
    for line in head:
        line_printer()([(line, "")])
    calls, locks = activity.calls(), view.locks
    of_locks = min(len(locks), max(_LEAST_ROWS, rows - len(head) - len(calls)))
    of_calls = max(_LEAST_ROWS, rows - len(head) - of_locks)
    echo()
    if calls:
        print_rows(
            _COLUMNS,
            [
                (
                    _short(each.method),
                    f"{each.rate:>10,.1f}",
                    f"{each.p50:>6,.1f}",
                    f"{each.p99:>6,.1f}",
                    f"{each.failed:,.1f}/s" if each.failed else "",
                )
                for each in calls[:of_calls]
            ],
        )
    else:
        echo("no calls")
    if locks:
        echo()
        LOCKS.print(locks[:of_locks])


def _head(view: _View) -> Iterator[str]:
    """Yield the lines that sum up a view; narrow terminals get shorter ones, not cut ones."""
    found = view.activity.document()
    metric = view.activity.after.value
    up = timedelta(seconds=max(0, round(time.time() - metric("process_start_time_seconds"))))
    yield f"tracker {found['version']} at {view.server}, up {up}"
    parts = [
        f"calls {found['callsPerSecond']:,.1f}/s",
        f"failed {found['failedPerSecond']:,.1f}/s",
        f"under way {found['callsUnderWay']}",
        f"watches {found['watches']}",
        f"locks {found['locksHeld']} held, {found['locksWaiting']} waiting",
        *(f"{kind} {rate:,.1f}/s" for kind, rate in view.activity.principals().items()),
        f"commits {found['commitsPerSecond']:,.1f}/s, 99 % in {found['commitMillisecondsP99']:,.1f} ms",
        f"queue {found['changesQueued']}",
        f"CPU {100 * view.activity.rate('process_cpu_seconds_total'):.0f} %",
        f"memory {metric('process_resident_memory_bytes') / 2**20:,.0f} MiB",
    ]
    if failing := view.activity.failing_tasks():
        parts.append(f"FAILING: {', '.join(failing)}")
    if view.unknown:
        parts.append(f"held locks: {view.unknown}")
    room = terminal_width() if sys.stdout.isatty() else 100
    line = ""
    for part in parts:
        if line and len(line) + len(part) + 2 > room:
            yield line
            line = ""
        line += f"{'  ' if line else ''}{part}"
    yield line


def _short(method: str) -> str:
    """Return the name of an RPC without its package, or a route as it is."""
    service, slash, name = method.rpartition("/")
    return f"{service.rpartition('.')[2]}/{name}" if slash and service.startswith("tracker.") else method
