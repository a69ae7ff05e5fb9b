"""Environments as locks and grants compare them, however they are written."""

from __future__ import annotations

from tracker.errors import SetupError, nearest
from tracker.pb import event_pb
from tracker.pb.options import number_named, numbers, wire_name

_NAMES = {
    name.casefold(): wire_name(event_pb.Environment(number))
    for name, number in numbers(event_pb.Environment.desc()).items()
    if number
}
_KEYS = {"environment_unspecified": ""} | {spelled: name.casefold() for spelled, name in _NAMES.items()}


def environment_key(environment: str) -> str:
    """Return an environment as it is compared: `PROD`, `prod` and `production` are one."""
    environment = environment.strip().casefold()
    return _KEYS.get(environment, environment)


def environment_name(environment: str) -> str:
    """Return an environment by the name that events give it; one that events don't have stays as it is."""
    return _NAMES.get(environment.strip().casefold(), environment)


def environment_in(setting: str, name: str) -> event_pb.Environment:
    """Return the environment that a setting names.

    Raises:
        SetupError: Events don't have it.
    """
    number = number_named(event_pb.Environment.desc(), name.strip())
    if not number:
        hint = nearest(name.strip(), _NAMES.values())
        raise SetupError(f"{setting}: expected environments of events, got {name.strip()!r}{hint}")
    return event_pb.Environment(number)
