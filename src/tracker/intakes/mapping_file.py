"""The file with the operator's own rules: reads it, says what is wrong with it, and follows its changes."""

from __future__ import annotations

import asyncio
import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.query.fields import LABEL_NAME
from tracker.errors import SetupError
from tracker.intakes.mapping import CHOICES, FIELDS, Join, Mappings, Rule, Rules, compiled
from tracker.pb.options import number_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

_LOOK_SECONDS: Final = 2.0
_LARGEST: Final = 2**20
_MOST: Final = 500
_LONGEST: Final = 2_000
_JOIN: Final = "join"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LABEL: Final = re.compile(LABEL_NAME)
_RULE: Final = ("select", "values", "default")


class MappingError(ValueError):
    """A file of rules is wrong; the message has a line for each problem."""


def parse(text: str) -> Mappings:
    """Return the rules in a text.

    Raises:
        MappingError: It is no TOML, or a rule is wrong; the message names the line, or the table and the key.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MappingError(f"no TOML: {error}") from None
    reading = _Reading()
    if len(content) > _MOST:
        reading.refuse("", f"expected up to {_MOST} tables")
    joins = reading.joins(content.pop(_JOIN, []))
    rules = {}
    for sender, table in content.items():
        if not _NAME.fullmatch(sender):
            reading.refuse(sender, "expected the name of a sender: lower-case letters, digits and dashes")
        elif not isinstance(table, dict):
            reading.refuse(sender, f"expected a table [{sender}]")
        else:
            rules[sender] = reading.rules(sender, table)
    if reading.problems:
        raise MappingError("\n".join(reading.problems))
    return Mappings(rules, joins)


class _Reading:
    """Reads the tables of a file, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def refuse(self, where: str, text: str) -> None:
        self.problems.append(f"{where}: {text}" if where else text)

    def rules(self, sender: str, table: Mapping[str, Any]) -> Rules:
        fields: dict[str, Rule] = {}
        labels: dict[str, Rule] = {}
        chosen: dict[str, Any] = {}
        for name, value in table.items():
            where = f"[{sender}] {name}"
            if name in ("only", "each"):
                chosen[name] = self._expression(where, value)
            elif name == "labels":
                labels = self._labels(where, value)
            elif name in FIELDS:
                fields[name] = self._rule(where, value, name)
            else:
                self.refuse(where, f"unknown key; expected one of {', '.join(FIELDS)}, labels, only, each")
        return Rules(fields, labels, chosen.get("only"), chosen.get("each"))

    def joins(self, tables: object) -> tuple[Join, ...]:
        if isinstance(tables, dict):
            tables = [tables]
        if not isinstance(tables, list):
            self.refuse(f"[{_JOIN}]", "expected a table")
            return ()
        found = []
        for table in tables:
            senders = table.get("senders") if isinstance(table, dict) else None
            source = table.get("source", "deployments") if isinstance(table, dict) else None
            if not isinstance(senders, list) or not all(isinstance(each, str) for each in senders):
                self.refuse(f"[{_JOIN}] senders", 'expected a list of names, such as ["github", "argocd"]')
            elif not isinstance(source, str) or not source:
                self.refuse(f"[{_JOIN}] source", "expected a text")
            else:
                found.append(Join(frozenset(senders), source))
        return tuple(found)

    def _labels(self, where: str, table: object) -> dict[str, Rule]:
        if not isinstance(table, dict):
            self.refuse(where, "expected a table")
            return {}
        for name in table:
            if not _LABEL.fullmatch(name):
                self.refuse(f"{where}.{name}", "no label can have this name")
        return {name: self._rule(f"{where}.{name}", value, "") for name, value in table.items()}

    def _rule(self, where: str, value: object, name: str) -> Rule:
        if isinstance(value, str):
            return Rule(self._expression(where, value))
        if not isinstance(value, dict):
            self.refuse(where, "expected an expression, or a table with select, values and default")
            return Rule()
        for key in value.keys() - set(_RULE):
            self.refuse(f"{where}.{key}", f"unknown key; expected one of {', '.join(_RULE)}")
        select, values, default = value.get("select"), value.get("values", {}), value.get("default", "")
        if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
            self.refuse(f"{where}.values", 'expected a table of texts, such as { prd = "production" }')
            values = {}
        if not isinstance(default, str):
            self.refuse(f"{where}.default", "expected a text")
            default = ""
        if name in CHOICES:
            for each in (*values.values(), default):
                if each and number_named(CHOICES[name].desc(), each) is None:
                    self.refuse(where, f"there is no {name} {each[:100]!r}")
        expression = None if select is None else self._expression(f"{where}.select", select)
        return Rule(expression, {key.lower(): of for key, of in values.items()}, default)

    def _expression(self, where: str, value: object) -> Any:  # noqa: ANN401 - as in `compiled`
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
            self.refuse(where, f"expected an expression of up to {_LONGEST} characters")
            return None
        try:
            return compiled(value)
        except ValueError as error:
            self.refuse(where, str(error))
            return None


class MappingFile:
    """The rules of a file, which are read again when it changes."""

    def __init__(
        self, path: Path | None, log: FilteringBoundLogger, environments: Mapping[str, str] | None = None
    ) -> None:
        """Read the file; without one, there are no rules beside names of environments.

        Raises:
            MappingError: A rule is wrong.
            OSError: It can't be read.
        """
        self._path, self._log = path, log
        self._stamp = ""
        self.current = Mappings(environments=environments or {})
        if path is not None:
            self._stamp = _stamp(path)
            self.current = self._read(path)

    async def follow(self) -> None:
        """Read the file again if it has changed: one round of a background task.

        Raises:
            SetupError: It can't be used; the rules read before stay in use.
        """
        await asyncio.sleep(_LOOK_SECONDS)
        if self._path is None:
            return
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self.current = self._read(self._path)
        except (OSError, MappingError) as error:
            raise SetupError(f"INTAKE_MAPPING: {error}; the rules read before are in use") from None
        self._stamp = stamp
        self._log.info("mapping read again")

    def _read(self, path: Path) -> Mappings:
        return replace(read(path), environments=self.current.environments)


def environments_of(words: Sequence[str]) -> Mapping[str, str]:
    """Return environments by other names, in lower case, of words such as `staging=preproduction`.

    Raises:
        MappingError: One is not such a word, or says something else than another one, or than Tracker does.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, environment = (part.strip() for part in word.partition("="))
        wanted, own = (number_named(CHOICES["environment"].desc(), each) for each in (environment, name))
        if not (name and equals and wanted) or own not in (None, wanted):
            problem = f"{name} is one already" if own else "expected such as staging=preproduction"
            raise MappingError(f"{word[:100]!r}: {problem}, with environments of Tracker")
        if found.setdefault(name.lower(), environment) != environment:
            raise MappingError(f"{name} is there twice")
    return found


def read(path: Path) -> Mappings:
    """Return the rules in a file.

    Raises:
        MappingError: A rule is wrong.
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise MappingError(f"{path}: expected a file of up to {_LARGEST // 2**20} MiB")
    try:
        return parse(content.decode())
    except UnicodeDecodeError:
        raise MappingError(f"{path}: expected UTF-8") from None
    except MappingError as error:
        raise MappingError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_mtime_ns} {status.st_ino} {status.st_size}"
