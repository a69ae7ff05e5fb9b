"""What callers may be allowed to do, in the words of settings, requests and stored records."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What a principal may be allowed."""

    EVENT_READ = "event:read"
    EVENT_WRITE = "event:write"
    CATALOG_READ = "catalog:read"
    CATALOG_WRITE = "catalog:write"
    LOCK_READ = "lock:read"
    LOCK_WRITE = "lock:write"
    LOCK_FORCE = "lock:force"
    LINKS_READ = "links:read"
    LINKS_WRITE = "links:write"
    STATE_READ = "state:read"
    STATE_WRITE = "state:write"
    INTAKE_WRITE = "intake:write"
    WEBHOOK_WRITE = "webhook:write"
    FREEZE_READ = "freeze:read"
    FREEZE_WRITE = "freeze:write"
    DEPLOYMENT_APPROVE = "deployment:approve"
    DEPLOYMENT_OVERRIDE = "deployment:override"
    RETENTION_MANAGE = "retention:manage"
    ACCESS_MANAGE = "access:manage"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"


ALL_PERMISSIONS = frozenset(Permission)
OPEN_PERMISSIONS = ALL_PERMISSIONS - {
    Permission.ACCESS_MANAGE,
    Permission.AUDIT_READ,
    Permission.RETENTION_MANAGE,
    Permission.STATE_READ,
}
"""What `all` gives to callers without credentials.

They could otherwise make themselves keys that last, read the secrets in states, or delete the history.
"""


def read_permissions(text: str) -> frozenset[Permission]:
    """Return the permissions in a list with commas; `all` stands for `OPEN_PERMISSIONS`, `none` for none.

    Raises:
        ValueError: A word is none of these.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if words == ["none"]:
        return frozenset()
    found: set[Permission] = set()
    for word in words:
        found |= OPEN_PERMISSIONS if word == "all" else {Permission(word)}
    return frozenset(found)


def show_permissions(permissions: frozenset[Permission]) -> str:
    """Return permissions as `read_permissions` reads them."""
    if permissions == OPEN_PERMISSIONS:
        return "all"
    return ",".join(sorted(permissions)) or "none"
