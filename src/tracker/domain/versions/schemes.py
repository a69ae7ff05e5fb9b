"""How the versions of a service are ordered, by the scheme that it declares."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from packaging.version import InvalidVersion
from packaging.version import Version as PythonVersion
from semver import Version as SemanticVersion

from tracker.errors import SetupError
from tracker.pb import version_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Scheme: Final = version_pb.Scheme
Ordered: TypeAlias = Any
"""What versions of one scheme compare by."""

_DATE: Final = re.compile(r"\d{1,9}(?:[._-]\d{1,9})*")
_NAMES: Final = {
    "order": Scheme.deployment_order,
    "semver": Scheme.semver,
    "pep440": Scheme.pep440,
    "calver": Scheme.calver,
}


def read_schemes(declared: Iterable[str]) -> Sequence[tuple[str, version_pb.Scheme]]:
    """Return the schemes of services by patterns of their names, such as `shop-*=semver`.

    Raises:
        SetupError: It names no scheme, or no pattern.
    """
    found = []
    for each in declared:
        pattern, _, name = each.partition("=")
        if not pattern or name not in _NAMES:
            expected = f"expected SERVICE=SCHEME, with a scheme of {', '.join(_NAMES)}"
            raise SetupError(f"VERSION_SCHEMES: {expected}, got {each!r}")
        found.append((pattern, _NAMES[name]))
    return found


def scheme_of(service: str, schemes: Sequence[tuple[str, version_pb.Scheme]]) -> version_pb.Scheme:
    """Return the scheme of a service: that of the first pattern that matches its name."""
    return next(
        (scheme for pattern, scheme in schemes if fnmatchcase(service, pattern)), Scheme.deployment_order
    )


def places_of(versions: Iterable[str], scheme: version_pb.Scheme) -> Mapping[str, int]:
    """Return the places of versions, from 0 for the oldest, in the order of a scheme.

    `versions` are in the order of their first deployments. Those that are equal share a place. One that the
    scheme does not understand has none.
    """
    distinct = list(dict.fromkeys(versions))
    if scheme == Scheme.deployment_order:
        return {version: place for place, version in enumerate(distinct)}
    read = {version: value for version in distinct if (value := _READERS[scheme](version)) is not None}
    places: dict[str, int] = {}
    before: Ordered = None
    place = -1
    for version, value in sorted(read.items(), key=lambda each: each[1]):
        place += value != before
        places[version], before = place, value
    return places


def _semantic(version: str) -> Ordered | None:
    try:
        return SemanticVersion.parse(version.removeprefix("v")).replace(build=None)
    except (ValueError, TypeError):
        return None


def _python(version: str) -> Ordered | None:
    try:
        return PythonVersion(version)
    except InvalidVersion:
        return None


def _dated(version: str) -> Ordered | None:
    if not _DATE.fullmatch(version.removeprefix("v")):
        return None
    return tuple(map(int, re.split(r"[._-]", version.removeprefix("v"))))


_READERS: Final[Mapping[version_pb.Scheme, Callable[[str], Ordered | None]]] = {
    Scheme.semver: _semantic,
    Scheme.pep440: _python,
    Scheme.calver: _dated,
}
