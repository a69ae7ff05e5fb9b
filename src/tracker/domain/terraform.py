"""Rules of Terraform's states: what identifies one, and what becomes of it when it is written."""

from __future__ import annotations

import copy
import re
from typing import Final, NamedTuple

from tracker.domain.environments import environment_key
from tracker.domain.locks import LockKey
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import terraform_pb

RESOURCE: Final = "terraform"
"""What the lock of a state locks a service for."""

_NAME = re.compile(r"[^\x00-\x1f/\\?#]{1,200}")


class StateKey(NamedTuple):
    """What identifies a state."""

    service: str
    environment: str

    @property
    def id(self) -> str:
        """The service, and the environment if there is one, with a slash between them."""
        return "/".join(filter(None, self))

    @property
    def lock(self) -> LockKey:
        """The key of the lock of the state."""
        return LockKey(self.service, self.environment, RESOURCE)


def state_key(service: str, environment: str) -> StateKey:
    """Return the key of the state of a service in an environment, however that is written.

    Raises:
        TrackerError: INVALID_ARGUMENT; a name has a slash or another character that addresses give a meaning.
    """
    for name, given in (("service", service), ("environment", environment)):
        if not _NAME.fullmatch(given) and (given or name == "service"):
            raise invalid(FieldViolation(name, "expected up to 200 characters without / \\ ? #"))
    return StateKey(service, environment_key(environment))


def empty_state(key: StateKey) -> terraform_pb.State:
    """Return a state that Terraform has not written yet."""
    return terraform_pb.State(id=key.id, service=key.service, environment=key.environment)


def with_token(state: terraform_pb.State, fencing_token: int, lock_id: str = "") -> terraform_pb.State:
    """Return a state after an acquisition of its lock; that of an earlier one changes nothing."""
    changed = copy.copy(state)
    if fencing_token >= state.fencing_token:
        changed.fencing_token, changed.lock_id = fencing_token, lock_id or state.lock_id
    return changed


def with_version(
    state: terraform_pb.State, version: terraform_pb.StateVersion, now: int, *, token: int, kept: int
) -> terraform_pb.State:
    """Return a state with a new version, and the latest `kept` versions in all.

    What is the same as the current version adds none. `token` is the fencing token of the lock under which it
    is written, or that of the last lock that the writer knows of.

    Raises:
        TrackerError: FAILED_PRECONDITION; the state was locked by another since.
    """
    if state.fencing_token > token:
        message = f"the state {state.id} was locked by another since; nothing was written"
        raise TrackerError(Reason.LOCK_LOST, message)
    changed = with_token(state, token)
    if state.versions and state.versions[0].sha256 == version.sha256 and not version.restored_from:
        return changed
    added = copy.copy(version)
    added.number = state.versions[0].number + 1 if state.versions else 1
    added.created_at = timestamp(now)
    changed.versions = [added, *state.versions][:kept]
    return changed


def version_of(state: terraform_pb.State, number: int) -> terraform_pb.StateVersion | None:
    """Return a version that a state still has, or None; 0 is the current one."""
    versions = (each for each in state.versions if number in (0, each.number))
    return next(versions, None)


def restored(version: terraform_pb.StateVersion, created_by: str) -> terraform_pb.StateVersion:
    """Return a version with the content of an earlier one."""
    again = copy.copy(version)
    again.restored_from = version.number
    again.clear_field("created_by")
    if created_by:
        again.created_by = created_by
    return again
