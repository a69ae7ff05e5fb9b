"""The intake of Flux's providers `generic` and `generic-hmac`.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracker.intakes import tags
from tracker.intakes.integrations import Integration, event_request, one_event, time_of
from tracker.intakes.requests import LONGEST, bounded, json_object, optional, part, refused, text
from tracker.intakes.signatures import hexadecimal
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.intakes.integrations import Received
    from tracker.intakes.recorder import Recorder

is_signed: Final = hexadecimal(
    "x-signature", {f"{name}=": name for name in ("sha224", "sha256", "sha384", "sha512")}
)

_Status = event_pb.Status
_STATUSES: Final = {
    "Progressing": _Status.start,
    "ReconciliationSucceeded": _Status.success,
    "InstallSucceeded": _Status.success,
    "UpgradeSucceeded": _Status.success,
    "RollbackSucceeded": _Status.success,
    "ReconciliationFailed": _Status.failure,
    "HealthCheckFailed": _Status.failure,
    "HealthCheckCanceled": _Status.close,
    "BuildFailed": _Status.failure,
    "ValidationFailed": _Status.failure,
    "ArtifactFailed": _Status.failure,
    "InstallFailed": _Status.failure,
    "UpgradeFailed": _Status.failure,
    "TestFailed": _Status.failure,
    "RollbackFailed": _Status.error,
}
"""Of what a message gives as its reason. What is rolled back failed before; the message names what was
deployed instead: the release before.
"""
_KINDS: Final = ("Kustomization", "HelmRelease")
_PREFIX: Final = re.compile(r"(?:(event)|[a-z]+)\.toolkit\.fluxcd\.io/")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RELEASE: Final = re.compile(r"\brelease \S{1,300}\.(v\d{1,9}) with chart ")
"""The release of Helm that a message is about; a failed upgrade has none yet."""
_INTERNAL: Final = ("revision", "token", "commit_status")
_SHORT: Final = 8


def flux(recorder: Recorder) -> Integration:
    """Return the intake of what Kustomizations and Helm releases report."""
    return Integration(recorder, "flux", received, is_signed, optional=True)


def received(body: bytes, _headers: Mapping[str, str]) -> Received:
    """Return what a message records, or why it records nothing.

    Controllers report the same revision at each reconciliation, and its health ever after.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    content = json_object(body)
    keeps = text(content, "reason") != "TestFailed"
    return one_event(_event(content), content, keeps=keeps, series="object")


def _event(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    about, metadata = part(content, "involvedObject"), part(content, "metadata")
    kind, reason = text(about, "kind"), text(content, "reason")
    if kind not in _KINDS:
        return "unsupported kind"
    status = _STATUSES.get(reason)
    if status is None:
        return "unsupported reason"
    revision = _of_controller(metadata, "revision")
    if not revision:
        return "missing revision"
    name, namespace = text(about, "name"), text(about, "namespace")
    if not name:
        raise refused("involvedObject.name", "expected a name")
    at = time_of(content, "timestamp")
    attributes = event_pb.EventAttributes(
        source="flux",
        type=event_pb.Type.deployment,
        status=status,
        version=_version(revision),
        start_date=at if status is _Status.start else None,
    )
    tags.apply(_tags(metadata), attributes)
    attributes.service = attributes.service or name
    cluster = attributes.cluster or attributes.labels.get("cluster", "")
    deployed = f"{kind}/{namespace}/{name}@{revision}{_action(content, metadata)}"
    attributes.external_id = bounded(f"{cluster}:{deployed}".lstrip(":"))
    commit = _COMMIT.search(revision[-LONGEST:])
    is_back = reason.startswith("Rollback")
    return event_request(
        attributes,
        f"{'Roll back' if is_back else 'Deploy'} {attributes.service} {'to ' * is_back}{attributes.version}",
        text(content, "message"),
        {
            "object": f"{kind}/{namespace}/{name}",
            "reason": reason,
            "sha": commit[0] if commit else "",
            "revision": "" if commit else revision,
        },
        at,
    )


def _of_controller(metadata: Mapping[str, Any], key: str) -> str:
    """Return what a controller says of a deployment, with a key that older versions name after it."""
    names = (each for each in metadata if each.rpartition("/")[2] == key)
    return next((found for name in names if (found := optional(metadata, name, str))), "")


def _action(content: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """Return what tells apart the deployments of one revision: a chart is deployed with other values, too.

    That is the number of the release in Helm, or else the digest of the values.
    """
    release = _RELEASE.search(text(content, "message")[:1_000])
    values = _of_controller(metadata, "token").rpartition(":")[2][:_SHORT]
    if text(content, "reason").startswith("Rollback"):
        return f":rollback-{release[1] if release else ''}-{values}".rstrip("-")
    return f":{release[1]}" if release else f":{values}" * bool(values)


def _version(revision: str) -> str:
    """Return the version of a revision: of `main@sha1:…`, the beginning of the commit."""
    last = revision.rpartition(":")[2] if ":" in revision else revision.rpartition("/")[2]
    return last[:_SHORT] if re.fullmatch(r"[0-9a-f]{9,128}", last) else last


def _tags(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield what operators add to messages; what controllers add has a prefix of theirs."""
    for name, value in metadata.items():
        prefix = _PREFIX.match(name)
        own = name[prefix.end() :] if prefix else name
        if isinstance(value, str) and (prefix is None or prefix[1]) and own not in _INTERNAL:
            yield f"{own}:{value}"
