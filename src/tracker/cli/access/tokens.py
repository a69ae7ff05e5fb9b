"""`tracker token`: creates, lists, replaces and revokes tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import TOKEN_TABLE, USAGE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.options import ListApi, RecordApi, command_of
from tracker.cli.printing import echo, say, shown_time
from tracker.cli.tables import Column, Table
from tracker.cli.time_options import duration, duration_option
from tracker.permissions import OPEN_PERMISSIONS, Permission, read_permissions

if TYPE_CHECKING:
    from protobuf.wkt import Timestamp

    from tracker.cli.printing import Cell
    from tracker.pb import auth_pb

app = client_group("Create, list, replace and revoke tokens, by which programs are known.", TOKEN_TABLE)
command = partial(command_of, app, codes=TOKEN_TABLE)

TokenId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        autocompletion=completing.token_ids,
        help="Id of the token, or the beginning of its text.",
    ),
]
Expires = Annotated[
    timedelta | None,
    duration_option("How long it is valid, such as 12h or 30d.  [default: 90d]"),
]
_COLUMNS = (
    Column("NAME"),
    Column("TOKEN", rank=2),
    Column("MAY", rank=1, least=12),
    Column("NARROWED TO", rank=3, least=10),
    Column("EXPIRES"),
    Column("LAST USED", rank=4),
    Column("ID"),
)


def _allowed(text: str) -> str:
    try:
        read_permissions(text)
    except ValueError:
        expected = f"`all` or some of {', '.join(Permission)}, separated by commas"
        raise typer.BadParameter(f"expected {expected}, got {text!r}") from None
    return text


def _completed_permissions(incomplete: str) -> list[str]:
    before, comma, typed = incomplete.rpartition(",")
    return [f"{before}{comma}{each}" for each in ("all", *Permission) if each.startswith(typed)]


Own = Annotated[
    bool,
    typer.Option(
        "--own", help="Only for yourself: never more than you may, and over when you are. Anybody may."
    ),
]


def _narrowed(name: str) -> object:
    return typer.Option(f"--{name}", metavar="GLOB", help=f"Narrow it to {name}s like this; may be repeated.")


@command("create")
def create(
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the token is for.")],
    allow: Annotated[
        str,
        typer.Option(
            parser=_allowed,
            autocompletion=_completed_permissions,
            metavar="PERMISSIONS",
            help="What it allows, separated by commas; `all` is all but access:manage and audit:read.",
        ),
    ],
    service: Annotated[list[str] | None, _narrowed("service")] = None,
    environment: Annotated[list[str] | None, _narrowed("environment")] = None,
    team: Annotated[list[str] | None, _narrowed("team")] = None,
    expires: Expires = None,
    own: Own = False,
    api: RecordApi,
) -> None:
    """Create a token, and print it.

    It is printed only once, alone on standard output; the server keeps its hash. Without --own, it
    stands for itself, and takes access:manage.

    Example: tracker token create --name ci --allow event:write,lock:write --service 'checkout*'
    """
    from tracker.client.rpcs import CREATE_API_KEY
    from tracker.pb import auth_pb

    request = CREATE_API_KEY.request(
        name=name,
        permissions=sorted(read_permissions(allow)),
        services=service or [],
        environments=environment or [],
        teams=team or [],
        expires_at=_expiry(expires),
        own=own,
    )
    if not request.permissions:
        raise CommandError("a token that allows nothing is of no use; give --allow a permission", USAGE)
    answer = api.call(CREATE_API_KEY, request)
    key = answer.api_key or auth_pb.ApiKey()
    api.show(answer, lambda: _print_new(answer.secret, f"created the token {key.name}", key))


@command("list")
def list_tokens(
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="Also those that have expired or were revoked.")
    ] = False,
    own: Annotated[bool, typer.Option("--own", help="Only those that you made with --own.")] = False,
    api: ListApi,
) -> None:
    """List the valid tokens, newest first; without access:manage, those that you made with --own."""
    from tracker.client.rpcs import LIST_API_KEYS

    answer = api.call(LIST_API_KEYS, LIST_API_KEYS.request(all=all_, own=own))
    api.show_list(answer, answer.api_keys, Table(_COLUMNS, _row), "there are no tokens")


@command("rotate")
def rotate(
    id_: TokenId,
    *,
    overlap: Annotated[
        timedelta | None, duration_option("How long the old one stays valid, up to 30 days.  [default: 1d]")
    ] = None,
    expires: Expires = None,
    api: RecordApi,
) -> None:
    """Replace a token by a new one that allows the same, and print that.

    The old one stays valid for a day, or for --overlap, so that its users can change over.

    Example: tracker token rotate $id --overlap 1h
    """
    from tracker.client.rpcs import ROTATE_API_KEY
    from tracker.pb import auth_pb

    request = ROTATE_API_KEY.request(
        id=_whole_id(api, id_),
        overlap=duration(overlap),
        expires_at=_expiry(expires),
    )
    answer = api.call(ROTATE_API_KEY, request)
    key, old = answer.api_key or auth_pb.ApiKey(), answer.replaced or auth_pb.ApiKey()
    until = f"{old.prefix}… is valid until {shown_time(old.expires_at)}"
    did = f"replaced the token {key.name}: {until}; the new one"
    api.show(answer, lambda: _print_new(answer.secret, did, key))


@command("revoke")
def revoke(id_: TokenId, *, api: RecordApi) -> None:
    """Revoke a token: it is refused from now on, and what it watches ends."""
    from tracker.client.rpcs import REVOKE_API_KEY

    whole = _whole_id(api, id_)
    answer = api.call(REVOKE_API_KEY, REVOKE_API_KEY.request(id=whole))
    api.show(answer, lambda: echo(f"revoked {whole}"))


def _whole_id(api: RecordApi, text: str) -> str:
    """Return the id of the only token whose text, as people see it, begins so; another text as it is."""
    if not text.startswith("trk_"):
        return text
    from tracker.client.rpcs import LIST_API_KEYS

    keys = api.call(LIST_API_KEYS, LIST_API_KEYS.request()).api_keys
    found = [key.id for key in keys if key.prefix == text[: len(key.prefix)]]
    if len(found) != 1:
        raise CommandError(f"{len(found) or 'no'} valid tokens begin so; give the id of one")
    return found[0]


def _expiry(length: timedelta | None) -> Timestamp | None:
    from protobuf.wkt import Timestamp

    return None if length is None else Timestamp.from_datetime(datetime.now(UTC) + length)


def _print_new(secret: str, did: str, key: auth_pb.ApiKey) -> None:
    say(f"{did} expires {shown_time(key.expires_at) or 'never'}; its id is {key.id}. It is shown only once:")
    echo(secret)


def _row(key: auth_pb.ApiKey) -> tuple[Cell, ...]:
    ended = "revoked" if key.revoked_at is not None else key.expires_at
    may = sorted(key.permissions)
    if set(may) >= OPEN_PERMISSIONS:
        may = ["all", *sorted(set(may) - OPEN_PERMISSIONS)]
    narrowed = (
        ("service", key.services),
        ("environment", key.environments),
        ("team", key.teams),
    )
    scope = " ".join(f"{name}:{glob}" for name, globs in narrowed for glob in globs)
    return (key.name, key.prefix, ",".join(may) or "everything", scope, ended, key.last_used_at, key.id)
