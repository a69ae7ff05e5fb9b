"""The file with the rules for CI jobs: TOML, with a table `[[jobs]]` for each rule."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

from tracker.domain.access import Grant, Scope
from tracker.domain.jobs import GITHUB, GITLAB, JobRule, text_of
from tracker.errors import SetupError, nearest
from tracker.identity.issuers import is_safe
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}")
_REQUIRED: Final = ("name", "issuer", "audience", "claims", "allow")
_KEYS: Final = (*_REQUIRED, "services", "environments", "teams", "environment_claim")
_ID_CLAIMS: Final = {"https://token.actions.githubusercontent.com": GITHUB, "https://gitlab.com": GITLAB}
"""Issuers whose names of projects may come to belong to others: a rule needs one of these claims."""


class _Table:
    """One table of the file; what is wrong with it is appended to `problems`."""

    def __init__(self, number: int, content: Mapping[str, object], problems: list[str]) -> None:
        name = content.get("name")
        self.where = f"jobs[{number}]" + (f" ({name})" if isinstance(name, str) else "")
        self._content = content
        self._problems = problems

    def refuse(self, key: str, text: str) -> None:
        self._problems.append(f"{self.where}.{key}: {text}")

    def text(self, key: str) -> str:
        value = self._content.get(key, "")
        if not isinstance(value, str) or (key in _REQUIRED and not value.strip()):
            self.refuse(key, "expected a text" if key in self._content else "is missing")
            return ""
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            self.refuse(key, 'expected a list of texts, such as ["checkout"]')
            return ()
        if not value and key in self._content:
            self.refuse(key, "is empty: leave it out for all")
        return tuple(value)

    def claims(self) -> Mapping[str, frozenset[str]]:
        given = self._content.get("claims")
        if not isinstance(given, dict) or not given:
            self.refuse("claims", 'expected a table of claims, such as { repository_id = "123456789" }')
            return {}
        found = {}
        for claim, value in given.items():
            values = value if isinstance(value, list) else [value]
            if not values or not all(isinstance(each, str | int) and each != "" for each in values):
                self.refuse(f"claims.{claim}", "expected a text, or a list of texts of which one holds")
                continue
            found[claim] = frozenset(map(text_of, values))
        return found

    def permissions(self) -> frozenset[Permission]:
        if "allow" not in self._content:
            self.refuse("allow", "is missing")
        known = {permission.value: permission for permission in Permission}
        words = self.texts("allow")
        for word in words:
            if word not in known:
                self.refuse("allow", f"unknown permission {word[:40]!r}{nearest(word, known)}")
        return frozenset(known[word] for word in words if word in known)


def read_job_rules(path: Path) -> Sequence[JobRule]:
    """Return the rules in a file.

    Raises:
        SetupError: The file can't be read, or a rule is wrong; the message names the key.
    """
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except (OSError, ValueError) as error:  # a ValueError: not TOML, or not UTF-8
        raise SetupError(f"AUTH_JOBS_FILE {path}: {getattr(error, 'strerror', error)}") from None
    problems: list[str] = []
    tables = content.get("jobs", [])
    problems += [f"unknown key {key!r}; expected tables [[jobs]]" for key in content if key != "jobs"]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append("jobs: expected tables [[jobs]]")
        tables = []
    rules = [_rule(number, table, problems) for number, table in enumerate(tables)]
    names = [rule.name for rule in rules if rule.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [f"jobs: two rules have the name {name}" for name in twice]
    if problems:
        raise SetupError("\n".join(f"AUTH_JOBS_FILE {path}: {problem}" for problem in problems))
    return rules


def _rule(number: int, content: Mapping[str, object], problems: list[str]) -> JobRule:
    table = _Table(number, content, problems)
    for key in content.keys() - set(_KEYS):
        table.refuse(key, f"unknown key{nearest(key, _KEYS) or '; known are ' + ', '.join(_KEYS)}")
    rule = JobRule(
        name=table.text("name"),
        issuer=table.text("issuer"),
        audience=table.text("audience"),
        claims=table.claims(),
        grant=Grant(table.permissions(), Scope(*map(table.texts, ("services", "environments", "teams")))),
        environment_claim=table.text("environment_claim"),
    )
    if rule.name and not _NAME.fullmatch(rule.name):
        table.refuse("name", "expected up to 64 letters, digits, dots, dashes and underscores")
    if rule.issuer and not is_safe(rule.issuer):
        table.refuse("issuer", "expected an address with https, such as https://gitlab.example.com")
    ids = _ID_CLAIMS.get(rule.issuer, ())
    if rule.claims and ids and not rule.claims.keys() & set(ids):
        table.refuse("claims", f"expected one of {', '.join(ids)}: names may come to belong to others")
    if rule.claims and "sub" in rule.claims and ids:
        table.refuse("claims.sub", f"its form changes; use {', '.join(ids)}")
    return rule
