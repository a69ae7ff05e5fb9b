"""The intake of Flux's providers `generic` and `generic-hmac`.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracker.intakes import tags
from tracker.intakes.integrations import Integration, event_request, of_one_event, time_of
from tracker.intakes.requests import LONGEST, bounded, optional, part, refused, text
from tracker.intakes.signatures import hexadecimal
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    "RollbackSucceeded": _Status.failure,
    "ReconciliationFailed": _Status.failure,
    "HealthCheckFailed": _Status.failure,
    "BuildFailed": _Status.failure,
    "ValidationFailed": _Status.failure,
    "ArtifactFailed": _Status.failure,
    "InstallFailed": _Status.failure,
    "UpgradeFailed": _Status.failure,
    "TestFailed": _Status.failure,
    "RollbackFailed": _Status.error,
}
"""Of what a message gives as its reason; a release that Helm rolled back is one that failed."""
_KINDS: Final = ("Kustomization", "HelmRelease")
_PREFIX: Final = re.compile(r"(?:(event)|[a-z]+)\.toolkit\.fluxcd\.io/")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT: Final = 8


def flux(recorder: Recorder) -> Integration:
    """Return the intake of what Kustomizations and Helm releases report."""
    return Integration(recorder, "flux", of_one_event(_event), is_signed, optional=True)


def _event(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    about, metadata = part(content, "involvedObject"), part(content, "metadata")
    kind, reason = text(about, "kind"), text(content, "reason")
    if kind not in _KINDS:
        return "unsupported kind"
    status = _STATUSES.get(reason)
    if status is None:
        return "unsupported reason"
    revision = _revision(metadata)
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
    attributes.external_id = bounded(f"{cluster}:{kind}/{namespace}/{name}@{revision}".lstrip(":"))
    commit = _COMMIT.search(revision[-LONGEST:])
    return event_request(
        attributes,
        f"Deploy {attributes.service} {attributes.version}",
        text(content, "message"),
        {
            "object": f"{kind}/{namespace}/{name}",
            "reason": reason,
            "sha": commit[0] if commit else "",
            "revision": "" if commit else revision,
        },
        at,
    )


def _revision(metadata: Mapping[str, Any]) -> str:
    """Return the revision that is deployed, which older versions name after the controller."""
    names = (each for each in metadata if each.rpartition("/")[2] == "revision")
    return next((found for name in names if (found := optional(metadata, name, str))), "")


def _version(revision: str) -> str:
    """Return the version of a revision: of `main@sha1:…`, the beginning of the commit."""
    last = revision.rpartition(":")[2] if ":" in revision else revision.rpartition("/")[2]
    return last[:_SHORT] if re.fullmatch(r"[0-9a-f]{9,128}", last) else last


def _tags(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield what operators add to messages; what controllers add has a prefix of theirs."""
    for name, value in metadata.items():
        prefix = _PREFIX.match(name)
        own = name[prefix.end() :] if prefix else name
        if isinstance(value, str) and (prefix is None or prefix[1]) and own != "revision":
            yield f"{own}:{value}"
