"""The words of a text: the unit in which titles and messages are searched."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_WORD = 256
"""Characters of a word that count."""

RULES: Final = f"1, Unicode {unicodedata.unidata_version}"
"""The version of the rules that split a text into words; words by other rules can't be compared."""

# Scripts that are written without spaces: each character is a word, so that a phrase finds a part of a text.
_SPACELESS = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")


def words(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits, without regard to case or width."""
    return [word[:MAX_WORD] for word in _WORD.findall(_folded(text))]


def ends_in_word(text: str) -> bool:
    """Return whether the last word of a text extends to its end."""
    folded = _folded(text)
    return any(word.end() == len(folded) for word in _WORD.finditer(folded))


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return text.casefold()


@dataclass(frozen=True, slots=True)
class Phrase:
    """Consecutive words; with `prefix`, the last one may be the beginning of a word."""

    words: tuple[str, ...]
    prefix: bool = False

    def occurs_in(self, text: str) -> bool:
        """Return whether a text contains the phrase."""
        if text.isascii() and (pattern := _in_ascii(self.words, self.prefix)) is not None:
            return pattern.search(text) is not None
        end = "" if self.prefix else " "
        return f" {' '.join(self.words)}{end}" in f" {' '.join(words(text))} "


@lru_cache(maxsize=1024)
def _in_ascii(words_: tuple[str, ...], prefix: bool) -> re.Pattern[str] | None:  # noqa: FBT001 - a part of the key
    """Return a pattern for a phrase in ASCII text, five times as fast, or None where words are cut."""
    if not words_ or any(len(word) >= MAX_WORD for word in words_):
        return None
    phrase = "[^a-z0-9]+".join(map(re.escape, words_))
    end = "" if prefix else "(?![a-z0-9])"
    return re.compile(f"(?<![a-z0-9]){phrase}{end}", re.ASCII | re.IGNORECASE)
