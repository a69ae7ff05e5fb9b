"""Records that a user names, by their ids or by what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from tracker.cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Record(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Record)


def only_named(known: Sequence[R], name: str, name_of: Callable[[R], str], *, one: str, several: str) -> R:
    """Return the record with an id, or else the only one with a name.

    Errors call it `one`, such as `hold`, or `several`, such as `holds have the name`.

    Raises:
        CommandError: There is none, or several have the name.
    """
    found = [each for each in known if each.id == name.lower()] or [
        each for each in known if name_of(each) == name
    ]
    if len(found) != 1:
        raise CommandError(
            f"{len(found)} {several} {name}; give the id of one" if found else f"no {one} {name}"
        )
    return found[0]
