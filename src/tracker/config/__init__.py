"""The settings of a server, the sources of their values, and how they are printed.

`load` takes flags over environment variables over a TOML file over the defaults declared in `Settings`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.config.kinds import REFUSALS
from tracker.config.settings import SETTINGS, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.config.settings import Setting

CONFIG_VARIABLE = "TRACKER_CONFIG"
"""The environment variable that names a configuration file."""

_SHOWN = 80
"""Characters of a wrong value that a message repeats."""

_SECRET_OPTION = re.compile(r"(?i)([?&][^=&]*(?:password|secret|token|key|properties)[^=&]*=)[^&]*")


class ConfigurationError(Exception):
    """The configuration can't be used; each of `problems` is one line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Effective settings, and where each came from: `default`, `file PATH`, `environment` or `flag`."""

    settings: Settings
    sources: Mapping[str, str]

    def shown(self, setting: Setting[object]) -> str | float | bool | None:
        """Return the value of a setting as JSON represents it, with secrets masked."""
        value = getattr(self.settings, setting.name)
        if isinstance(value, bool | int | float) or (value is None and not setting.kind.empty):
            return value
        return shown(self.settings, setting)


def load(
    *, flags: Mapping[str, str | None], environ: Mapping[str, str], file: Path | None = None
) -> Configuration:
    """Return the effective settings; `flags` and `environ` hold text, an empty text counts as not given.

    `file` is a TOML file; without one, `environ` may name it.

    Raises:
        ConfigurationError: The file can't be read, has an unknown key, or a value is not what it must be.
    """
    problems: list[str] = []
    path = file or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    in_file = _read(path, problems) if path else {}
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        for value, source, named in (
            (flags.get(name), "flag", f"flag {setting.flag}"),
            (environ.get(setting.variable), "environment", f"environment variable {setting.variable}"),
            (in_file.get(name), f"file {path}", f"file {path}"),
        ):
            if value is not None and (value != "" or setting.kind.empty):
                values[name], sources[name] = _value(setting, value, named, problems), source
                break
        else:
            sources[name] = "default"
    if problems:
        raise ConfigurationError(problems)
    return Configuration(Settings(**values), sources)  # type: ignore[arg-type]  # each is what its Kind parsed


def ineffective_variables(environ: Mapping[str, str]) -> Sequence[str]:
    """Return the variables of the earlier Go implementation that are set and have no effect here."""
    return sorted(name for name, value in environ.items() if name.startswith("DB_") and value)


def _value(setting: Setting[object], value: object, named: str, problems: list[str]) -> object:
    kind = setting.kind
    if isinstance(value, str) or type(value) in kind.toml:
        with suppress(*REFUSALS):
            return kind.parse(str(value).strip())
    got = "another value" if setting.secret else _excerpt(value)
    problems.append(f"{setting.name}: expected {kind.expected}, got {got} ({named}){kind.hint(str(value))}")
    return None


def _excerpt(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _read(path: Path, problems: list[str]) -> Mapping[str, object]:
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except (OSError, ValueError) as error:  # a ValueError: not TOML, or not UTF-8
        problems.append(f"configuration file {path}: {getattr(error, 'strerror', error)}")
        return {}
    for key in sorted(content.keys() - SETTINGS.keys()):
        near = difflib.get_close_matches(key.lower().replace("-", "_"), SETTINGS, n=1)
        hint = f", did you mean {near[0]}?" if near else f"; known are {', '.join(SETTINGS)}"
        problems.append(f"configuration file {path}: unknown setting {_excerpt(key)}{hint}")
    return content


def shown(settings: Settings, setting: Setting[object]) -> str:
    """Return the value of a setting as text, with secrets masked."""
    text = setting.kind.show(getattr(settings, setting.name))
    return _masked(text) if setting.secret and text else text


def _masked(text: str) -> str:
    """Return a secret without what must stay secret: of a URI, the credentials and the secret options.

    A password may hold an unescaped `@` or `/`: all up to the last `@` goes.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return "***"
    before, at, after = rest.rpartition("@")
    shown = f"{scheme}://***@{after}" if at else f"{scheme}://{before}{after}"
    return _SECRET_OPTION.sub(r"\1***", shown)
