"""`tracker support-bundle`: a file for whoever helps with a server, without secrets and personal data."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from tracker import __version__
from tracker.cli.exits import CommandError
from tracker.cli.operating.doctor import document_of, of_machine
from tracker.cli.operating.options import BackupPlace, lenient_settings
from tracker.cli.options import number_option
from tracker.cli.printing import echo
from tracker.config import Configuration
from tracker.config.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_KEPT_FIELDS = (
    *("time", "level", "msg", "request_id", "method", "wire", "code", "duration_ms", "reason"),
    *("task", "kind", "port", "seconds", "attempt", "consumer", "variable"),
)
"""Fields of log lines that are neither secret nor about a person; of others, the name alone is kept."""
_PERSONAL_SETTINGS = frozenset(("slack_users",))
_HIDDEN = "***"
_SHORTEST_SECRET = 4
"""Characters of a secret that is searched for: shorter ones are part of other words."""
_FRAME = re.compile(r'^\s*File "(.*?)", line (\d+), in (\S+)|^([A-Za-z_][\w.]*(?:Error|Exception))\b')
_CHECK_SECONDS = 5.0


def support_bundle(
    configuration: Annotated[Configuration | Sequence[str], lenient_settings()],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="Target; must not exist.  [default: tracker-support-TIME.tar.gz]"
        ),
    ] = None,
    *,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="The server's log, in JSON; `-` is stdin.")
    ] = None,
    log_lines: Annotated[int, number_option("Last lines of it to take.", least=1, most=1_000_000)] = 5_000,
    backups: BackupPlace = None,
    personal: Annotated[
        bool, typer.Option("--personal", help="Include names, addresses and texts of log lines, too.")
    ] = False,
) -> None:
    """Write a tar.gz for whoever helps with the server of this machine; read it before you send it.

    It has versions, settings with secrets masked, what `tracker doctor` finds, metrics, numbers of records,
    query plans and, with --log, the end of the log. It has no secrets, no events and, without --personal, no
    names of users, tokens or callers. Nothing is changed or sent.

    Example: journalctl -u tracker -o cat | tracker support-bundle --log -
    """
    target = file or Path(f"tracker-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    hide = _hiding(configuration)
    left_out: dict[str, str] = {}
    parts = _parts(configuration, left_out, log=log, log_lines=log_lines, backups=backups, personal=personal)
    members = {name: hide(text) for name, text in parts}
    members["about.json"] = hide(_json(_about(left_out, personal=personal)))
    write(target, members)
    for name, text in sorted(members.items()):
        echo(f"{target}: {name}, {len(text.encode()):,} bytes")
    for name, why in left_out.items():
        echo(f"left out: {name}: {why}")


def _parts(
    configuration: Configuration | Sequence[str],
    left_out: dict[str, str],
    *,
    log: Path | None,
    log_lines: int,
    backups: Path | None,
    personal: bool,
) -> Iterator[tuple[str, str]]:
    """Yield names and texts of the files; `left_out` gets why others are missing."""
    from tracker.diagnosis.machine import Backups

    found = [*of_machine(configuration, Backups(backups))]
    yield "doctor.json", _json(document_of(found, names=personal))
    if isinstance(configuration, Configuration):
        yield "settings.json", _json(_settings(configuration, personal=personal))
        yield from _attempt(left_out, "store.json", lambda: _json(_store(configuration)))
        yield from _attempt(left_out, "metrics.txt", lambda: _metrics(configuration))
    else:
        left_out["settings.json, store.json, metrics.txt"] = "the settings can't be read; see doctor.json"
    if log is None:
        left_out["log.ndjson"] = "no --log was given"
    else:
        yield from _attempt(left_out, "log.ndjson", lambda: _log(log, log_lines, personal=personal))


def _attempt(left_out: dict[str, str], name: str, make: Callable[[], str]) -> Iterator[tuple[str, str]]:
    try:
        yield name, make()
    except (OSError, CommandError) as error:
        left_out[name] = getattr(error, "strerror", None) or str(error)


def _about(left_out: dict[str, str], *, personal: bool) -> dict[str, object]:
    import platform
    from importlib import metadata

    versions = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    return {
        "tracker": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "packages": dict(sorted(versions.items())),
        "leftOut": left_out,
        "personal": personal,
    }


def _settings(configuration: Configuration, *, personal: bool) -> dict[str, object]:
    def value(name: str) -> object:
        shown = configuration.shown(SETTINGS[name])
        return _HIDDEN if shown and name in _PERSONAL_SETTINGS and not personal else shown

    return {
        setting.variable: {"value": value(name), "source": configuration.sources[name]}
        for name, setting in SETTINGS.items()
    }


def _store(configuration: Configuration) -> dict[str, object]:
    from tracker.diagnosis.machine import inspect

    settings = configuration.settings
    if settings.mongo_uri is None and not settings.database_path.is_file():
        raise CommandError("there is no store")
    found = inspect(settings, check_seconds=_CHECK_SECONDS, with_plans=True)
    return {
        "database": found.database,
        "schema": found.version,
        "problems": found.problems,
        "bytes": found.sizes,
        "records": found.records,
        "plans": found.plans,
        "members": len(found.members),
        "clockAheadSeconds": found.skew,
    }


def _metrics(configuration: Configuration) -> str:
    from tracker.cli.credentials import credential_for
    from tracker.client.connection import Connection
    from tracker.client.failures import ApiError
    from tracker.diagnosis.network import host_of

    settings = configuration.settings
    scheme, host = "http" if settings.tls_cert is None else "https", host_of(settings)
    host = f"[{host}]" if ":" in host else host
    given = credential_for(f"{scheme}://{host}:{settings.http_port}", None)
    try:
        with Connection(f"{scheme}://{host}:{settings.metrics_port}", token=given.token) as connection:
            return connection.content("/metrics").decode()
    except ApiError as error:
        raise CommandError(error.message) from None


def _log(file: Path, most: int, *, personal: bool) -> str:
    if str(file) == "-":
        return "".join(_lines(deque(sys.stdin, most), personal=personal))
    with file.open(encoding="utf-8", errors="replace") as opened:
        return "".join(_lines(deque(opened, most), personal=personal))


def _lines(lines: Iterable[str], *, personal: bool) -> Iterator[str]:
    """Yield log lines as JSON, without secrets; lines of another form are counted."""
    from tracker.telemetry.clean import clean_fields, is_secret

    others = 0
    for line in lines:
        fields = None
        with suppress(ValueError):
            fields = json.loads(line)
        if not isinstance(fields, dict):
            others += 1
            continue
        kept = {name: _HIDDEN if is_secret(name) else value for name, value in fields.items()}
        if not personal:
            kept = {name: value if name in _KEPT_FIELDS else _HIDDEN for name, value in kept.items()}
            if isinstance(fields.get("exception"), str):
                kept["exception"] = _frames(fields["exception"])
        yield json.dumps(clean_fields(kept), ensure_ascii=False) + "\n"
    if others:
        yield json.dumps({"msg": "lines that are not JSON are left out", "lines": others}) + "\n"


def _frames(traceback: str) -> str:
    """Return where a defect was, and its kind: its message may have anything in it."""
    found = filter(None, map(_FRAME.match, traceback.splitlines()))
    return "\n".join(each[4] or f"{each[1]}:{each[2]} {each[3]}" for each in found)


def _hiding(configuration: Configuration | Sequence[str]) -> Callable[[str], str]:
    """Return a function that hides the secrets of the settings and the environment, and the user's folder."""
    secrets = {os.environ.get("TRACKER_TOKEN", "").strip()}
    secrets |= {os.environ.get(each.variable, "") for each in SETTINGS.values() if each.secret}
    if isinstance(configuration, Configuration):
        values = (getattr(configuration.settings, each.name) for each in SETTINGS.values() if each.secret)
        secrets |= {str(value) for value in values if value}
        with suppress(ValueError):
            secrets.add(urlsplit(configuration.settings.mongo_uri or "").password or "")
    texts = sorted((each for each in secrets if len(each) >= _SHORTEST_SECRET), key=len, reverse=True)
    home = os.path.expanduser("~")  # noqa: PTH111 - raises nothing if there is no home

    def hide(text: str) -> str:
        for each in texts:
            text = text.replace(each, _HIDDEN).replace(json.dumps(each)[1:-1], _HIDDEN)
        return text.replace(home, "~") if len(home) > 1 else text

    return hide


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(target: Path, members: dict[str, str]) -> None:
    """Write the archive, which only this user can read."""
    import tarfile

    folder = target.name.removesuffix(".gz").removesuffix(".tar")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in sorted(members.items()):
            data = text.encode(errors="replace")
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime, member.mode = len(data), int(time.time()), 0o600
            archive.addfile(member, io.BytesIO(data))
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(packed.getbuffer())
        except OSError:
            target.unlink()
            raise
    except FileExistsError:
        raise CommandError(f"{target} exists; choose another name") from None
    except OSError as error:
        raise CommandError(f"{target} can't be written: {error.strerror}") from None
