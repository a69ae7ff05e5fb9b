"""The query language: parsed to a typed tree, rendered as text, and evaluated on an event.

`service:payments status:(failure OR error) -type:drift "timed out" duration:>5m since:24h`
"""

from __future__ import annotations

from tracker.domain.query.lexer import QueryError
from tracker.domain.query.matching import matches
from tracker.domain.query.parser import parse
from tracker.domain.query.printer import to_text
from tracker.domain.query.tree import EVERYTHING, Node
from tracker.time_text import Clock

__all__ = ["EVERYTHING", "Clock", "Node", "QueryError", "matches", "parse", "to_text"]
