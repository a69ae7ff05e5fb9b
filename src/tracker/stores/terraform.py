"""The contract of a store for the states of Terraform, and the parts that their contents are stored in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.pb import terraform_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page

PART_BYTES: Final = 8 * 2**20
"""The maximum size of a part; a document of MongoDB has up to 16 MiB."""


class StatePart(NamedTuple):
    """A part of a content, whose id ends with its number; `at` is microseconds since the epoch."""

    id: str
    state: str
    content: str
    at: int
    data: bytes


def parts_of(state_id: str, content_id: str, at: int, data: bytes) -> Sequence[StatePart]:
    """Return the parts of a content, in the order of their ids."""
    return [
        StatePart(f"{content_id}:{number:04}", state_id, content_id, at, data[begin : begin + PART_BYTES])
        for number, begin in enumerate(range(0, len(data), PART_BYTES))
    ]


def contents_of(state: terraform_pb.State | None) -> set[str]:
    """Return the ids of the contents that the versions of a state have."""
    return set() if state is None else {version.content_id for version in state.versions}


class TerraformStore(Protocol):
    """States of Terraform, identified by their ids."""

    async def modify(
        self,
        state_id: str,
        change: Callable[[terraform_pb.State | None], terraform_pb.State],
        parts: Sequence[StatePart] = (),
        once: Once[terraform_pb.State] | None = None,
    ) -> terraform_pb.State:
        """Store what `change` returns for a state, or for None, with the parts of a content; return it.

        Parts of contents that the state no longer has are deleted.
        """

    async def get(self, state_id: str) -> terraform_pb.State | None:
        """Return a state, or None."""

    async def content(self, content_id: str) -> bytes | None:
        """Return a content, or None."""

    async def delete(self, state_id: str, check: Callable[[terraform_pb.State], None]) -> bool:
        """Delete a state with its contents; return whether there was one.

        The step is aborted with what `check` raises for it.
        """

    async def find(self, page: Page) -> Found[terraform_pb.State]:
        """Return a page of the states, ordered by id (code points)."""


def joined(parts: Iterator[bytes]) -> bytes | None:
    """Return the content of parts in their order, or None without any."""
    return b"".join(parts) or None
