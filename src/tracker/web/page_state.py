"""What the address of a page says, as a record that makes other addresses of the page."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tracker.web.visit import address

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class PageState:
    """The parameters of a page at `path`; `usual` are those of an address that would have none."""

    path: ClassVar[str]
    usual: ClassVar[tuple[tuple[str, str], ...]] = ()

    @abstractmethod
    def _parameters(self) -> Iterable[tuple[str, str]]:
        """Return all parameters of the address, "" for those that have their usual values."""

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of the address that it needs."""
        return [(name, value) for name, value in self._parameters() if value]

    def address(self, path: str = "", **changes: Any) -> str:  # noqa: ANN401 - values of the fields
        """Return the address of the page, or at another path, with some of it changed."""
        return address(path or self.path, replace(self, **changes).pairs() or [*self.usual])
