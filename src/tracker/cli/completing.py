"""What a shell completes with what a server has: values of fields, labels, ids and names.

A server that is away, or slow, completes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import typer  # noqa: TC002 - typer reads the annotations

from tracker.cli.credentials import credential_for

if TYPE_CHECKING:
    from tracker.client.connection import Connection
    from tracker.pb import event_pb

_SECONDS = 0.5
"""Seconds that a shell waits."""

_PLAIN = "complete_fish"
"""The form that the scripts of all shells ask for, and quote themselves; others could run a value."""

_EVENTS = 100
"""Newest events whose ids and labels are completed."""

_VALUES = 100
"""Values of a field."""

_PREFIX = re.compile(r"[\w./-]*\w")
"""The beginning of a value that a query can look for as it is."""

_TERM = re.compile(r'(?<![^\s(])-?(?:([\w.][\w./-]*):(?:\((?:[^()]*[\s(])?)?)?("[^"]*|[^\s()"]*)$')
"""The end of a query that is being typed: the name of a field, and the beginning of a value; or of a name."""
_WORD = re.compile(r"[\w./-]+")
"""A value that needs no quotes in a query."""

Found: TypeAlias = "Iterable[tuple[str, str]]"
"""Values, and a description of each."""
Completion: TypeAlias = "Callable[[typer.Context, str], list[tuple[str, str]]]"
"""What typer asks for the completions of what was typed."""


def _completed(find: Callable[[Connection, str], Found]) -> Completion:
    """Return a completion of what `find` finds for what was typed."""

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        from tracker.cli.bounded import within
        from tracker.client.connection import Connection

        def values() -> list[tuple[str, str]]:
            server = ctx.params["server"]
            token, _, plain_http = credential_for(server, ctx.params.get("access_token_file"))
            with Connection(
                server, patience=0, timeout=_SECONDS, token=token, plain_http=plain_http
            ) as connection:
                return [
                    (value, _described(description))
                    for value, description in find(connection, incomplete)
                    if value.startswith(incomplete) and value.isprintable()
                ]

        if os.environ.get("_TRACKER_COMPLETE") != _PLAIN:
            return []
        try:
            return within(_SECONDS, values)
        except Exception:  # noqa: BLE001 - a shell shows messages in the middle of the line
            return []

    return complete


def _described(text: str) -> str:
    """Return a description as typer takes it, on one line."""
    from rich.markup import escape

    from tracker.cli.controls import printable

    return escape(printable(text))


def values_of(field: str) -> Completion:
    """Return a completion of the values that events have for a field, as queries name it."""
    return _completed(lambda connection, typed: ((each, "") for each in _values(connection, field, typed)))


def _values(connection: Connection, field: str, typed: str) -> Iterator[str]:
    from tracker.client.rpcs import GET_EVENT_FACETS

    query = f"{field}:{typed}*" if _PREFIX.fullmatch(typed) else ""
    answer = connection.call(
        GET_EVENT_FACETS, GET_EVENT_FACETS.of({"query": query, "fields": [field], "limit": _VALUES})
    )
    return (each.value for facet in answer.facets for each in facet.values if each.value)


def _events(connection: Connection) -> list[event_pb.Event]:
    from tracker.client.rpcs import LIST_EVENTS

    return connection.call(LIST_EVENTS, LIST_EVENTS.of({"perPage": _EVENTS})).events


@_completed
def event_ids(connection: Connection, _: str) -> Found:
    """Find the ids of the newest events."""
    return [(each.metadata.id, each.title) for each in _events(connection) if each.metadata is not None]


def _label_names(connection: Connection) -> list[str]:
    return sorted(
        {
            name
            for each in _events(connection)
            if each.attributes is not None
            for name in each.attributes.labels
        }
    )


@_completed
def labels(connection: Connection, typed: str) -> Found:
    """Find names of labels, and values once a name is written."""
    name, is_whole, value = typed.partition("=")
    if is_whole:
        return [(f"{name}={each}", "") for each in _values(connection, f"label.{name}", value)]
    return [(f"{each}=", "") for each in _label_names(connection)]


@_completed
def lock_ids(connection: Connection, _: str) -> Found:
    """Find the ids of held locks."""
    from tracker.client.rpcs import LIST_LOCKS

    locks = connection.call(LIST_LOCKS, LIST_LOCKS.request()).locks
    return [(each.id, f"{each.service} {each.environment} {each.who}") for each in locks]


@_completed
def entry_names(connection: Connection, _: str) -> Found:
    """Find the names of entries of the catalog."""
    from tracker.client.rpcs import LIST_CATALOGS

    entries = connection.call(LIST_CATALOGS, LIST_CATALOGS.request()).catalogs
    return [(each.name, each.description.partition("\n")[0]) for each in entries]


@_completed
def token_ids(connection: Connection, _: str) -> Found:
    """Find the ids of tokens."""
    from tracker.client.rpcs import LIST_API_KEYS

    keys = connection.call(LIST_API_KEYS, LIST_API_KEYS.request()).api_keys
    return [(each.id, f"{each.name} {each.prefix}") for each in keys]


@_completed
def session_ids(connection: Connection, _: str) -> Found:
    """Find the ids of sessions."""
    from tracker.client.rpcs import LIST_SESSIONS

    sessions = connection.call(LIST_SESSIONS, LIST_SESSIONS.request()).sessions
    return [(each.id, f"{each.last_used_from} {each.user_agent}") for each in sessions]


@_completed
def view_ids(connection: Connection, _: str) -> Found:
    """Find the ids of saved views."""
    from tracker.client.rpcs import LIST_LINKS

    links = connection.whole(LIST_LINKS, LIST_LINKS.request()).links
    return [(each.id, f"{each.name} {each.url}") for each in links if each.url.startswith("/")]


@_completed
def webhook_names(connection: Connection, _: str) -> Found:
    """Find the names of webhooks."""
    from tracker.client.rpcs import LIST_WEBHOOKS

    webhooks = connection.whole(LIST_WEBHOOKS, LIST_WEBHOOKS.request()).webhooks
    return [(each.name, each.url) for each in webhooks]


@_completed
def freeze_titles(connection: Connection, _: str) -> Found:
    """Find the titles of freeze windows."""
    from tracker.client.rpcs import LIST_FREEZE_WINDOWS

    windows = connection.whole(LIST_FREEZE_WINDOWS, LIST_FREEZE_WINDOWS.request()).freeze_windows
    return [(each.title, each.description.partition("\n")[0]) for each in windows]


@_completed
def policy_names(connection: Connection, _: str) -> Found:
    """Find the names of retention policies."""
    from tracker.client.rpcs import LIST_RETENTION_POLICIES

    policies = connection.call(LIST_RETENTION_POLICIES, LIST_RETENTION_POLICIES.request()).policies
    return [(each.name, each.query) for each in policies]


@_completed
def hold_names(connection: Connection, _: str) -> Found:
    """Find the names of legal holds."""
    from tracker.client.rpcs import LIST_LEGAL_HOLDS

    holds = connection.call(LIST_LEGAL_HOLDS, LIST_LEGAL_HOLDS.request()).holds
    return [(each.name, each.reason) for each in holds]


def fields_to_count(fields: Iterable[str]) -> Completion:
    """Return a completion of the names of fields that events are counted by, and of labels."""
    names = [(each, "") for each in sorted(fields)]
    of_labels = _completed(lambda connection, _: [(f"label.{each}", "") for each in _label_names(connection)])

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        found = [each for each in names if each[0].startswith(incomplete)]
        return found if found and incomplete else [*found, *of_labels(ctx, incomplete)]

    return complete


def query_words(names: Iterable[str], known: Mapping[str, Callable[[], list[str]] | None]) -> Completion:
    """Return a completion of the last word of a query: a name, or a value of the field before its colon.

    `known` returns the values of a field; None stands for a field whose values the server has.
    """

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        term = _TERM.search(incomplete)
        if term is None:
            return []
        field, typed = term[1], term[2]
        before = incomplete[: -len(typed)] if typed else incomplete
        if field is None:
            return [(before + each, "") for each in names if each.startswith(typed)]
        typed = typed.removeprefix('"')
        if (values := known.get(field)) is not None:
            found = [each for each in values() if each.startswith(typed)]
        elif field in known or field.startswith("label."):
            found = [value for value, _ in values_of(field)(ctx, typed)]
        else:
            found = []
        return [(before + _in_query(each), "") for each in found]

    return complete


def _in_query(value: str) -> str:
    return value if _WORD.fullmatch(value) else quoted(value)


def quoted(text: str) -> str:
    """Return a text as queries quote it."""
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
