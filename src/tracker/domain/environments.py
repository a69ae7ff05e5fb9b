"""Environments as locks and grants compare them, however they are written."""

from __future__ import annotations

from tracker.pb import event_pb
from tracker.pb.options import numbers, wire_name

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
