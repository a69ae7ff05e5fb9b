"""Addresses of the pages of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.pb.options import name_if_set
from tracker.time_text import moment_text
from tracker.web.entry_address import CATALOG
from tracker.web.explorer.state import State
from tracker.web.query_terms import term
from tracker.web.visit import address

if TYPE_CHECKING:
    from protobuf import Enum

    from tracker.web.explorer.state import Period

GRAPH: Final = "graph"


def graph_address(name: str, depth: int = 1) -> str:
    """Return the address of the graph around an entry, or of the whole one."""
    around = [("of", name), ("depth", str(depth) if depth > 1 else "")] if name else []
    return address(CATALOG, [("view", GRAPH), *((key, value) for key, value in around if value)])


def events_address(name: str, more: str = "", period: Period | None = None) -> str:
    """Return the address of the events of a service that a query finds, in a period or of all time."""
    query = f"{term('service', name)} {more}".rstrip()
    if period is None:
        return State(query=query, since="all").address()
    return State(query, moment_text(period.since), moment_text(period.until)).address()


def choice_words(choice: Enum) -> str:
    """Return the words of a choice, "" for one that is not made."""
    return name_if_set(choice).replace("_", " ")
