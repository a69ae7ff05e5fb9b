"""`tracker retention`: how long events are kept, and what policies would delete."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import RETENTION_TABLE
from tracker.cli.helped import client_group
from tracker.cli.named import only_named
from tracker.cli.options import ListApi, RecordApi, Yes, command_of, confirm_deletion
from tracker.cli.printing import echo, print_record, say, shown_progress, shown_time
from tracker.cli.tables import Column, Table
from tracker.cli.time_options import duration, duration_option
from tracker.number_text import number_of

if TYPE_CHECKING:
    from tracker.cli.calls import Api
    from tracker.cli.printing import Cell
    from tracker.pb import retention_pb

app = client_group("Say how long events are kept, and delete what is older.", RETENTION_TABLE)
command = partial(command_of, app, codes=RETENTION_TABLE)

Policy = Annotated[
    str,
    typer.Argument(
        metavar="POLICY", autocompletion=completing.policy_names, help="Name or id of the policy."
    ),
]
Query = Annotated[
    str | None, typer.Option("--query", "-q", metavar="QUERY", help="Which events it is for.  [default: all]")
]
Keep = Annotated[timedelta | None, duration_option("How old events get, such as 400d.")]
Export = Annotated[
    bool | None,
    typer.Option(
        "--export/--no-export", help="Write events to the server's folder of exports before they are deleted."
    ),
]
Active = Annotated[
    bool | None, typer.Option("--on/--off", help="Whether the server deletes by itself what is due.")
]
_POLICIES = (
    Column("NAME", least=12),
    Column("STATE"),
    Column("KEEPS"),
    Column("QUERY", rank=1, least=16),
    Column("EXPORTS", rank=3),
    Column("LAST RUN", rank=2),
    Column("DELETED", rank=2),
    Column("ID", rank=4),
)
_SECONDS_A_DAY = 86_400


@command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    *,
    keep: Annotated[timedelta, duration_option("How old events get, such as 400d.")],
    query: Query = None,
    export: Export = None,
    active: Active = None,
    api: RecordApi,
) -> None:
    """Create a policy, and print its id. It is off, unless --on is given: preview it first.

    Example: tracker retention create drifts --keep 90d --query type:drift --export
    """
    from tracker.client.rpcs import CREATE_RETENTION_POLICY

    request = CREATE_RETENTION_POLICY.request(
        name=name,
        query=query or "",
        keep_for=duration(keep),
        export=bool(export),
        active=bool(active),
    )
    answer = api.call(CREATE_RETENTION_POLICY, request)
    api.show(answer, lambda: echo(answer.policy.id if answer.policy else ""))


@command("list")
def list_(*, api: ListApi) -> None:
    """List the policies.

    Example: tracker retention list
    """
    from tracker.client.rpcs import LIST_RETENTION_POLICIES

    answer = api.call(LIST_RETENTION_POLICIES, LIST_RETENTION_POLICIES.request())
    api.show_list(answer, answer.policies, Table(_POLICIES, _row), "there are no policies: events are kept")


@command("edit")
def edit(
    policy: Policy,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    query: Query = None,
    keep: Keep = None,
    export: Export = None,
    active: Active = None,
    api: RecordApi,
) -> None:
    """Change a policy; what no option names stays as it is.

    Example: tracker retention edit drifts --keep 30d --on
    """
    from tracker.client.rpcs import UPDATE_RETENTION_POLICY

    old = _found(api, policy)
    request = UPDATE_RETENTION_POLICY.request(
        id=old.id,
        name=old.name if name is None else name,
        query=old.query if query is None else query,
        keep_for=old.keep_for if keep is None else duration(keep),
        export=old.export if export is None else export,
        active=old.active if active is None else active,
    )
    answer = api.call(UPDATE_RETENTION_POLICY, request)
    api.show(answer, lambda: _print(answer.policy or old))


@command("delete")
def delete(policy: Policy, *, yes: Yes = False, api: RecordApi) -> None:
    """Delete a policy; the events that it is for are kept from then on.

    Example: tracker retention delete drifts --yes
    """
    from tracker.client.rpcs import DELETE_RETENTION_POLICY

    found = _found(api, policy)
    confirm_deletion(yes, "retention policy", lambda: found.name)
    answer = api.call(DELETE_RETENTION_POLICY, DELETE_RETENTION_POLICY.request(id=found.id))
    api.show(answer, lambda: echo(f"deleted the retention policy {found.name}"))


@command("preview")
def preview(
    policy: Annotated[
        str | None,
        typer.Argument(
            metavar="[POLICY]",
            autocompletion=completing.policy_names,
            help="Name or id of a policy; else --keep says what to try.",
        ),
    ] = None,
    *,
    query: Query = None,
    keep: Keep = None,
    api: RecordApi,
) -> None:
    """Say what a policy would delete now, and delete nothing.

    Example: tracker retention preview --keep 90d --query type:drift
    """
    from tracker.client.rpcs import PREVIEW_RETENTION

    if policy is not None:
        request = PREVIEW_RETENTION.request(id=_found(api, policy).id)
    else:
        request = PREVIEW_RETENTION.request(query=query or "", keep_for=duration(keep))
    answer = api.call(PREVIEW_RETENTION, request)
    api.show(answer, lambda: _print_preview(answer))


@command("run")
def run(policy: Policy, *, yes: Yes = False, api: RecordApi) -> None:
    """Delete now what is due by a policy, whether it is on or off.

    An interrupted run has deleted what it said; the same command continues.

    Example: tracker retention run drifts --yes
    """
    from tracker.client.rpcs import PREVIEW_RETENTION, RUN_RETENTION_POLICY
    from tracker.pb import retention_pb

    found = _found(api, policy)
    if not yes:
        expected = api.call(PREVIEW_RETENTION, PREVIEW_RETENTION.request(id=found.id))
        due = expected.due - expected.held
        if due:
            confirm_deletion(yes, "events", lambda: f"{number_of(due, 'event')} older than {_age(found)}")
    deleted = skipped = 0
    files: list[str] = []
    token = ""
    with api.connected() as connection, shown_progress() as progress:
        while True:
            request = RUN_RETENTION_POLICY.request(id=found.id, page_token=token)
            answer = connection.call(RUN_RETENTION_POLICY, request, timeout=120)
            deleted, skipped, files = deleted + answer.deleted, skipped + answer.skipped, files + answer.files
            progress("events deleted", deleted, None)
            token = answer.next_page_token
            if not token:
                break
    total = retention_pb.RunRetentionPolicyResponse(deleted=deleted, skipped=skipped, files=files)
    api.show(total, lambda: _print_run(total))


def _found(api: Api, name: str) -> retention_pb.RetentionPolicy:
    """Return the policy of an id or a name."""
    from tracker.client.rpcs import LIST_RETENTION_POLICIES

    known = api.call(LIST_RETENTION_POLICIES, LIST_RETENTION_POLICIES.request()).policies
    return only_named(known, name, lambda each: each.name, one="policy", several="policies have the name")


def _age(policy: retention_pb.RetentionPolicy) -> str:
    seconds = 0.0 if policy.keep_for is None else policy.keep_for.to_timedelta().total_seconds()
    return f"{seconds / _SECONDS_A_DAY:g}d"


def _print(policy: retention_pb.RetentionPolicy) -> None:
    run = policy.last_run
    print_record(
        {
            "id": policy.id,
            "name": policy.name,
            "state": "on" if policy.active else "off",
            "keeps": _age(policy),
            "query": policy.query,
            "exports": "yes" if policy.export else "no",
            "last run": "" if run is None else shown_time(run.ended_at),
            "deleted": "" if run is None else f"{run.deleted:,}",
            "created by": policy.created_by,
            "created": shown_time(policy.created_at),
            "updated": shown_time(policy.updated_at),
        }
    )


def _print_preview(answer: retention_pb.PreviewRetentionResponse) -> None:
    types = ", ".join(f"{number:,} {name}" for name, number in sorted(answer.types.items()))
    print_record(
        {
            "due": f"{answer.due:,}",
            "held": f"{answer.held:,}",
            "deleted": f"{max(0, answer.due - answer.held):,}",
            "due before": shown_time(answer.due_before),
            "oldest": shown_time(answer.oldest),
            "newest": shown_time(answer.newest),
            "types": types,
        }
    )
    for event in answer.events:
        at = event.attributes and (
            event.attributes.start_date or (event.metadata and event.metadata.created_at)
        )
        echo(f"  {shown_time(at or None)}  {event.title}")


def _print_run(answer: retention_pb.RunRetentionPolicyResponse) -> None:
    echo(f"{number_of(answer.deleted, 'event')} deleted")
    if answer.skipped:
        say(f"{answer.skipped:,} stay: they have a lock, or have changed meanwhile")
    for name in answer.files:
        echo(f"exported to {name}")


def _row(policy: retention_pb.RetentionPolicy) -> tuple[Cell, ...]:
    run = policy.last_run
    return (
        policy.name,
        "on" if policy.active else "off",
        _age(policy),
        policy.query,
        "yes" if policy.export else "no",
        None if run is None else run.ended_at,
        "" if run is None else f"{run.deleted}",
        policy.id,
    )
