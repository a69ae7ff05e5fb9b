"""Checks of settings, as the server makes them when it starts, and of those that contradict each other."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from tracker.assembly.delivery import measurement_of
from tracker.assembly.deployments import policy_of
from tracker.assembly.incidents import judgement_of
from tracker.assembly.intakes import mapping_of
from tracker.assembly.tracing import is_asked, problem_of
from tracker.config import ineffective_variables
from tracker.diagnosis.findings import Finding, failed, ok, warning
from tracker.domain.access import anonymous
from tracker.domain.versions.schemes import read_schemes
from tracker.errors import SetupError
from tracker.permissions import ALL_PERMISSIONS, Permission
from tracker.time_text import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tracker.config import Configuration
    from tracker.config.settings import Settings

_OTHERS = 0o077
"""Permissions of a file for others than its owner."""
_ADVICE = "correct it: no server starts with it"
_WITHOUT_EFFECT = {
    "auth_oidc_client_id": "auth_oidc_issuer",
    "auth_oidc_client_secret": "auth_oidc_issuer",
    "slack_users": "slack_signing_secret",
}
"""Settings that have no effect without another one, by their fields."""


def check_settings(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check settings that can be read."""
    settings, found = configuration.settings, list[Finding]()
    for read in _READERS:
        try:
            read(settings)
        except SetupError as error:
            found.append(failed("settings", str(error), _ADVICE))
    found += _conflicts(configuration)
    found += [
        warning("settings", f"{name} has no effect: MONGO_URI takes its place", "remove it")
        for name in ineffective_variables(environ)
    ]
    if is_asked(environ) and (problem := problem_of(environ)):
        found.append(warning("settings", f"no traces are sent: {problem}", "correct it, or unset OTEL_…"))
    if not found:
        changed = sum(source != "default" for source in configuration.sources.values())
        found.append(ok("settings", f"all can be used, {changed} differ from the defaults"))
    yield from found


def issuers_of(settings: Settings) -> list[str]:
    """Return the addresses of those whose id tokens are accepted."""
    urls = [settings.auth_oidc_issuer] if settings.auth_oidc_issuer else []
    if settings.auth_jobs_file is not None:
        with suppress(SetupError, ModuleNotFoundError):  # which the settings' own check reports
            from tracker.identity.job_rules import read_job_rules  # noqa: PLC0415 - an extra, which may be missing

            urls += [rule.issuer for rule in read_job_rules(settings.auth_jobs_file)]
    return urls


def names_of(settings: Settings) -> list[str]:
    """Return the host names under which clients call the server, as far as settings say so."""
    public = urlsplit(settings.auth_public_url).hostname
    names = [public] if public else []
    return list(
        dict.fromkeys(
            [*names, *(name.removeprefix("*.") for name in settings.allowed_hosts if "*" not in name)]
        )
    )


def _conflicts(configuration: Configuration) -> Iterator[Finding]:
    settings, sources = configuration.settings, configuration.sources
    if settings.mongo_uri is not None and sources["database_path"] != "default":
        yield warning("settings", "DATABASE_PATH has no effect: MONGO_URI is set", "remove one of them")
    if settings.auth_oidc_issuer and settings.auth_public_url.startswith("http:"):
        yield warning("settings", "AUTH_PUBLIC_URL is not https", "give the address that browsers see")
    public = urlsplit(settings.auth_public_url).hostname
    if public and settings.allowed_hosts and not any(map(_matches(public), settings.allowed_hosts)):
        found = f"ALLOWED_HOSTS lacks {public}, the host of AUTH_PUBLIC_URL"
        yield failed("settings", found, "add it: REST answers others with 421")
    ports = [settings.grpc_port, settings.http_port, settings.metrics_port]
    taken = [port for port in ports if port]
    if len(set(taken)) < len(taken):
        yield failed("settings", "two of the ports are the same", "give each one of its own")
    if settings.dogstatsd_address and not _allowed(settings, Permission.EVENT_WRITE):
        found = "DOGSTATSD_ADDRESS needs event:write in AUTH_ANONYMOUS_PERMISSIONS"
        yield failed("settings", found, _ADVICE)
    if settings.auth_proxy_user_header and not settings.trusted_proxies:
        yield failed("settings", "AUTH_PROXY_USER_HEADER needs TRUSTED_PROXIES", _ADVICE)
    for name, needed in _WITHOUT_EFFECT.items():
        if getattr(settings, name) and not getattr(settings, needed):
            found = f"{name.upper()} has no effect without {needed.upper()}"
            yield warning("settings", found, f"set {needed.upper()}, or remove {name.upper()}")
    yield from _key_file(settings)
    yield from _export_folder(settings)


def _export_folder(settings: Settings) -> Iterator[Finding]:
    """Check that the folder for events before they are deleted can be written, or made."""
    folder = settings.retention_export_dir
    if folder is None:
        return
    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        found = f"RETENTION_EXPORT_DIR: {there} is no folder that can be written"
        yield failed("settings", found, "correct it: policies with `export` delete nothing meanwhile")


def _key_file(settings: Settings) -> Iterator[Finding]:
    """Check that nobody else reads what signs the audit log, or the key of TLS."""
    for name, file in (("AUDIT_KEY_FILE", settings.audit_key_file), ("TLS_KEY", settings.tls_key)):
        with suppress(OSError):
            if file is not None and file.stat().st_mode & _OTHERS:
                yield warning("settings", f"others can read {file}, the {name}", f"chmod 600 {file}")


def _matches(host: str) -> Callable[[str], bool]:
    return lambda name: host == name or (name.startswith("*.") and host.endswith(name[1:]))


def _allowed(settings: Settings, permission: Permission) -> bool:
    given = settings.auth_anonymous_permissions
    return permission in (ALL_PERMISSIONS if given is None else given)


def _people(settings: Settings) -> None:
    if settings.auth_jobs_file is None and not settings.auth_oidc_issuer:
        return
    try:
        from tracker.assembly import oidc  # noqa: PLC0415 - an extra, which may be missing
        from tracker.identity.job_rules import read_job_rules  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise SetupError(
            f"AUTH_OIDC_ISSUER or AUTH_JOBS_FILE is set, and {error.name} is not installed"
        ) from None
    if settings.auth_jobs_file is not None:
        read_job_rules(settings.auth_jobs_file)
    if settings.auth_oidc_issuer:
        oidc.client_of(settings)


def _deployments(settings: Settings) -> None:
    policy_of(settings, Clock(0, settings.timezone), anonymous(settings.auth_anonymous_permissions or ()))


_READERS: tuple[Callable[[Settings], object], ...] = (
    lambda settings: read_schemes(settings.version_schemes),
    judgement_of,
    measurement_of,
    _deployments,
    lambda settings: mapping_of(settings, structlog.get_logger()),
    _people,
)
"""What makes something of settings when a server starts; each raises a `SetupError` for what it can't use."""
