"""The services that other products know by names of their own: the annotations of entries in the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.stores.pages import Page
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.services.context import Context
    from tracker.stores.base import CatalogStore

ANNOTATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "application": ("argocd/app-name",),
    "pagerduty_service": ("pagerduty.com/service-id",),
    "repository": ("github.com/project-slug",),
    "project": ("gitlab.com/project-slug",),
}
"""The annotations that say whose a label of an event is, as Backstage names them."""

_SECONDS: Final = 60
"""How long what was read of the catalog counts."""


class CatalogNames:
    """Knows the services by the names that other products have for them."""

    def __init__(self, store: CatalogStore, context: Context) -> None:
        self._store = store
        self._context = context
        self._read_at = -_SECONDS * MICROS
        self._entries: set[str] = set()
        self._named: dict[tuple[str, str], set[str]] = {}

    async def service_of(self, service: str, labels: Mapping[str, str]) -> str:
        """Return the service of an event with labels: as it is, if it is in the catalog or nothing says more.

        An annotation that several entries have says nothing.

        Raises:
            TrackerError: The store failed.
        """
        if not ANNOTATIONS.keys() & labels.keys():
            return service
        await self._read()
        if service in self._entries:
            return service
        for label, names in ANNOTATIONS.items():
            for annotation in names:
                found = self._named.get((annotation, labels.get(label, "").lower()), set())
                if len(found) == 1:
                    return next(iter(found))
        return service

    async def _read(self) -> None:
        now = self._context.now()
        if now - self._read_at < _SECONDS * MICROS:
            return
        entries: set[str] = set()
        named: dict[tuple[str, str], set[str]] = {}
        known = {annotation for each in ANNOTATIONS.values() for annotation in each}
        for entry in (await self._store.find(Page())).records:
            entries.add(entry.name)
            for annotation in known & entry.annotations.keys():
                if value := entry.annotations[annotation].lower():
                    named.setdefault((annotation, value), set()).add(entry.name)
        self._read_at, self._entries, self._named = now, entries, named
