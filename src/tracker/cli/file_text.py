"""The text of files that users name."""

from __future__ import annotations

from codecs import BOM_UTF8


def text_of(content: bytes, line: int = 1) -> str:
    """Return the text of a file, or of its lines from this one on.

    Raises:
        ValueError: It is not UTF-8; the message has the line.
    """
    try:
        return content.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line += content.count(b"\n", 0, error.start)
        raise ValueError(f"the file is not UTF-8: line {line}") from None
