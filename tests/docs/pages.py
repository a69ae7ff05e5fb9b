"""The documentation as tests read it: its examples, its tables, its links.

Blocks marked `sh` and `python` are examples: they are run in order, from top to bottom of a page. A block
marked `json` or `text` right behind one shows what it prints. A comment on the line before a block may say
otherwise: `not run: REASON`, or `restart the server` to do so first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
)

_BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `place` is its page and line, `follows` whether nothing but space is before it."""

    place: str
    language: str
    text: str
    note: str
    follows: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A block to run, and the block that shows what it prints."""

    block: Block
    shown: Block | None


def read(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text("utf-8")


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text, end = read(page), 0
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("text"))
        follows = end > 0 and not text[end : found.start()].strip()
        yield Block(f"{page}:{line}", found["language"], found["text"], found["note"] or "", follows)
        end = found.end()


def examples(page: str) -> Sequence[Example]:
    """Return the examples of a page, in order."""
    found: list[Example] = []
    for block in blocks(page):
        if block.language in {"sh", "python"}:
            found.append(Example(block, None))
        elif block.follows and found and block.language in {"json", "text"} and found[-1].shown is None:
            found[-1] = Example(found[-1].block, block)
    return [example for example in found if not example.block.note.startswith("not run: ")]


def table(page: str, *heads: str) -> Sequence[tuple[str, ...]]:
    """Return the rows of the table in a page that has these column heads."""
    lines = read(page).splitlines()
    start = lines.index(f"| {' | '.join(heads)} |")
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in _CELL.split(line)[1:-1]))
    return rows


def section(page: str, heading: str) -> str:
    """Return the text below a heading of a page, up to the next one."""
    return re.split(r"^#+ ", read(page).partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def listing(page: str, heading: str) -> Sequence[tuple[str, str]]:
    """Return the items below a heading that begin with code: what is before the colon, and after it."""
    return re.findall(r"^- (`.*?): (.*)$", section(page, heading), re.MULTILINE)


def code(cell: str) -> list[str]:
    """Return what a text has in backquotes."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", cell)
