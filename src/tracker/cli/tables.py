"""Tables of records: on a terminal they fit its width, in a pipe each record is a whole line."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Generic

from tracker.cli.controls import printable
from tracker.cli.printing import R, console, datetime_of_timestamp, echo, local_text, terminal_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from protobuf.wkt import Timestamp

    from tracker.cli.printing import Cell

_GAP = "  "
_GAPS = re.compile(r"(?<=[^ │]) {2,}")
"""Spaces in a value that would look like those between two columns."""
_NONE = "-"
"""Stands for no value in a pipe, so that all lines have as many columns."""

_SHORTEST_ID = 13
"""Characters of an id that have its time to the millisecond, as UUIDs of version 7 begin with it."""
_NARROW = 70
"""Columns of a terminal below which times may be relative."""

_DAY, _MINUTE, _SECOND, _CLOCK = slice(10), slice(16), slice(19), slice(11, 19)
"""Parts of a time such as `2026-01-31 12:30:00`."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Where a table is too wide, columns shrink to `least` characters, then those with the highest `rank` are
    dropped; those of rank 0 stay. `usual` is the length of its values where they are not known in advance.
    """

    name: str
    rank: int = 0
    least: int = 1
    usual: int = 0
    id: bool = False
    """Whether its values are ids, which shorten to what is unique in the table."""
    bar: bool = False
    """Whether its numbers are drawn as bars, which only a terminal has."""


@dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """How records of a kind are listed: `row` returns a value for each of `columns`.

    `styles` has the styles of values on a terminal with colours.
    """

    columns: Sequence[Column]
    row: Callable[[R], Sequence[Cell]]
    styles: Mapping[str, str] = field(default_factory=dict)

    def print(self, records: Iterable[R], none: str = "", *, err: bool = True) -> None:
        """Print records; `none` is the message if there are none, to standard error if `err`."""
        rows = [self.row(record) for record in records]
        if rows:
            print_rows(self.columns, rows, self.styles)
        else:
            echo(none, err=err)


def print_rows(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], styles: Mapping[str, str] | None = None
) -> None:
    """Print a table, a line for each row; `styles` has the styles of values on a terminal with colours."""
    fitted = _fit(
        [_Fitted(column, place, [row[place] for row in rows]) for place, column in enumerate(columns)]
    )
    print_line = line_printer()
    if any(each.header for each in fitted):
        print_line([(each.aligned(each.header, ""), "bold") for each in fitted])
    for row in rows:
        print_line(_line(fitted, row, styles or {}))


def row_printer(columns: Sequence[Column], styles: Mapping[str, str]) -> Callable[[Sequence[Cell]], None]:
    """Return a function that prints a row as a line while the rows to come are not known."""
    fitted = _fit([_Fitted(column, place) for place, column in enumerate(columns)])
    print_line = line_printer()
    return lambda row: print_line(_line(fitted, row, styles))


def line_printer(gap: str = _GAP) -> Callable[[Sequence[tuple[str, str]]], None]:
    """Return a function that prints the parts of a line, with a gap between them, each with its style.

    Only a terminal has styles, and cuts off long lines.
    """
    if not sys.stdout.isatty():
        return lambda parts: echo(gap.join(text for text, _ in parts).rstrip())
    from rich.text import Text

    terminal = console()

    def print_line(parts: Sequence[tuple[str, str]]) -> None:
        line = Text(gap).join(Text(printable(text), style) for text, style in parts)
        line.rstrip()
        terminal.print(line, no_wrap=True, overflow="ellipsis")

    return print_line


class _Fitted:
    """A column as it is printed: the form of its values, and their width.

    Without `cells`, values of the usual length are expected.
    """

    def __init__(self, column: Column, place: int, cells: Sequence[Cell] | None = None) -> None:
        self.column = column
        self.place = place
        self.header = "" if column.bar or cells is None else column.name
        self.numbers = any(isinstance(cell, int) for cell in cells or ())
        self.longest_bar = max((cell for cell in cells or () if isinstance(cell, int)), default=0)
        self.forms = _forms(column, cells)
        """Functions that return the text of a value, the one with the longest texts first."""
        if column.bar:
            self.widths = [terminal_width() * 3 // 8]
        elif cells is None:
            rest = terminal_width() if sys.stdout.isatty() else 0
            self.widths = [column.usual or rest, *([column.least] if len(self.forms) > 1 else [])]
        else:
            self.widths = [max((_width(form(cell)) for cell in cells), default=0) for form in self.forms]
        self.empty = not any(self.widths)
        self.form = 0
        self.width = self.whole = max(self.widths[0], _width(self.header))

    @property
    def flexible(self) -> bool:
        """Whether values may be cut."""
        return len(self.forms) == 1 and not (self.numbers or self.column.id)

    def shrink(self) -> None:
        """Take the least room: whole values if they can't be cut, the whole header if there are no values."""
        self.form = len(self.forms) - 1
        least = 1 if self.flexible or self.column.bar else self.widths[-1]
        self.width = self.whole if self.empty else max(least, min(self.whole, self.column.least))

    def widen(self, room: int) -> int:
        """Take up to that much more room where that shows more; return the rest."""
        end = self.width + room
        while self.form and self.widths[self.form - 1] <= end:
            self.form -= 1
        wanted = self.widths[self.form] if self.form else self.whole
        self.width = max(self.width, min(wanted, end))
        return end - self.width

    def text(self, cell: Cell) -> str:
        """Return a value with the width of the column."""
        if self.column.bar and isinstance(cell, int):
            return "\N{FULL BLOCK}" * (self.width * cell // max(1, self.longest_bar))
        return self.aligned(self.forms[self.form](cell))

    def aligned(self, text: str, ellipsis: str = "…") -> str:
        """Return a text with the width of the column; where that cuts it, it ends with the ellipsis."""
        missing = self.width - _width(text)
        if missing < 0 and sys.stdout.isatty():
            from rich.cells import set_cell_size

            return set_cell_size(text, self.width - len(ellipsis)) + ellipsis
        return " " * missing + text if self.numbers else text + " " * missing


def _fit(columns: Sequence[_Fitted]) -> Sequence[_Fitted]:
    """Return the columns to print: those that fit the terminal, as wide as it allows; in a pipe all."""
    if not sys.stdout.isatty():
        return [each for each in columns if not each.column.bar]
    for each in columns:
        each.shrink()
    kept = list(columns)

    def room() -> int:
        return terminal_width() - sum(each.width + len(_GAP) for each in kept) + len(_GAP)

    droppable = sorted(
        (each for each in columns if each.column.rank), key=lambda each: (each.empty, each.column.rank)
    )
    while room() < 0 and droppable:
        kept.remove(droppable.pop())
    flexible = [each for each in kept if each.flexible]
    while room() < 0 and any(each.width > 1 for each in flexible):
        max(flexible, key=lambda each: each.width).width -= 1
    left = max(0, room())
    for each in sorted(kept, key=lambda each: (each.column.id, len(each.forms), each.whole - each.width)):
        left = each.widen(left)
    return kept


def _line(fitted: Sequence[_Fitted], row: Sequence[Cell], styles: Mapping[str, str]) -> list[tuple[str, str]]:
    cells = [(each, row[each.place]) for each in fitted]
    return [(each.text(cell), styles.get(cell, "") if isinstance(cell, str) else "") for each, cell in cells]


def _forms(column: Column, cells: Sequence[Cell] | None) -> list[Callable[[Cell], str]]:
    """Return functions that return the text of a value, the one with the longest texts first."""
    if not sys.stdout.isatty():
        return [lambda cell: _text(cell) or _NONE]
    if column.id:
        length = column.least if cells is None else _unique_length([_text(cell) for cell in cells])
        return [_text, lambda cell: _text(cell)[:length].rstrip("-")]
    if cells is None:
        return [_text, lambda cell: _text(cell, _CLOCK)] if column.usual == _SECOND.stop else [_text]
    times = {_text(cell)[10:] for cell in cells if not isinstance(cell, str | int | None)}
    if not times:
        return [_text]
    forms: list[Callable[[Cell], str]] = []
    if any(not each.endswith(":00") for each in times):
        forms.append(_text)
    if times != {" 00:00:00"}:
        forms.append(lambda cell: _text(cell, _MINUTE))
    if not forms:
        forms.append(lambda cell: _text(cell, _DAY))
    elif terminal_width() < _NARROW:
        now = datetime.now(UTC)
        forms.append(lambda cell: _text(cell) if isinstance(cell, str | int | None) else _ago(cell, now))
    return forms


def _text(cell: Cell, part: slice = _SECOND) -> str:
    """Return a value as a text, a part of it if it is a time."""
    match cell:
        case None:
            return ""
        case str() | int():
            return _GAPS.sub(" ", printable(str(cell))).rstrip()
        case moment:
            return local_text(datetime_of_timestamp(moment))[part]


def _ago(moment: Timestamp, now: datetime) -> str:
    """Return how long ago a moment was, or with a plus how far away it is, in one unit."""
    since = now - datetime_of_timestamp(moment)
    length, sign = abs(since), "+" if since < timedelta(0) else ""
    if length.days:
        return f"{sign}{length.days}d"
    hours, minutes = length.seconds // 3_600, length.seconds // 60
    return f"{sign}{hours}h" if hours else f"{sign}{minutes}m" if minutes else f"{sign}{length.seconds}s"


def _unique_length(ids: Sequence[str]) -> int:
    """Return the length to which ids can be cut and still differ."""
    length = _SHORTEST_ID
    while len({each[:length] for each in ids}) < len(set(ids)):
        length += 1
    return length


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
