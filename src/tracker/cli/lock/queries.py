"""`tracker lock list` and `tracker lock show`: who has which lock."""

from __future__ import annotations

from tracker.cli.exits import failures
from tracker.cli.lock.group import EPILOG, app
from tracker.cli.lock.options import Environment, LockId, Resource, Service
from tracker.cli.options import DEFAULT_SERVER, Format, ListFormat, Server
from tracker.cli.output import Output


@app.command("list", epilog=EPILOG)
def list_locks(
    *,
    service: Service = "",
    environment: Environment = "",
    resource: Resource = "",
    server: Server = DEFAULT_SERVER,
    output: ListFormat = Output.TEXT,
) -> None:
    """List the locks that are held, the newest first.

    Without --service, --environment and --resource, all of them.
    """
    from tracker.cli.documents import print_answer, print_list
    from tracker.cli.lock.shown import COLUMNS, lock_row, print_locks
    from tracker.client import Connection
    from tracker.client.locks import LIST_LOCKS

    request = LIST_LOCKS.request(service=service, environment=environment, resource=resource)
    with failures(output), Connection(server) as connection:
        answer = connection.call(LIST_LOCKS, request)
    if output is Output.TEXT:
        print_locks(answer.locks)
    elif output in (Output.JSON, Output.YAML):
        print_answer(answer, output)
    else:
        print_list("locks", answer.locks, output, [name.lower() for name in COLUMNS], lock_row)


@app.command("show", epilog=EPILOG)
def show(id_: LockId, *, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT) -> None:
    """Show a lock."""
    from tracker.cli.documents import print_answer
    from tracker.cli.lock.shown import print_lock
    from tracker.client import Connection
    from tracker.client.locks import GET_LOCK

    with failures(output), Connection(server) as connection:
        answer = connection.call(GET_LOCK, GET_LOCK.request(id=id_))
    if output is not Output.TEXT:
        print_answer(answer, output)
    elif answer.lock is not None:
        print_lock(answer.lock)
