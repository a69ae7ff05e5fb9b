"""The messages and descriptors generated from `proto/`, by short names.

A module is imported when it is first asked for: that of all takes a command as long as the call itself.
Everything under `generated` is written by `make generate`; nothing else imports from it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .files import FILES, STANDARD_FILES
    from .generated.google.api import annotations_pb, http_pb
    from .generated.google.rpc import error_details_pb, status_pb
    from .generated.grpc.health.v1 import health_pb
    from .generated.grpc.reflection.v1 import reflection_pb
    from .generated.grpc.reflection.v1alpha import reflection_pb as reflection_v1alpha_pb
    from .generated.proto.access.v1 import access_pb
    from .generated.proto.audit.v1alpha1 import audit_pb
    from .generated.proto.auth.v1alpha1 import auth_pb
    from .generated.proto.catalog.v1alpha1 import catalog_pb
    from .generated.proto.delivery.v1alpha1 import delivery_pb
    from .generated.proto.deployment.v1alpha1 import deployment_pb
    from .generated.proto.event.v1alpha1 import event_pb
    from .generated.proto.freeze.v1alpha1 import freeze_pb
    from .generated.proto.incident.v1alpha1 import incident_pb
    from .generated.proto.intake.v1alpha1 import intake_pb
    from .generated.proto.link.v1alpha1 import link_pb
    from .generated.proto.lock.v1alpha1 import lock_pb
    from .generated.proto.options.v1 import options_pb
    from .generated.proto.retention.v1alpha1 import retention_pb
    from .generated.proto.terraform.v1alpha1 import terraform_pb
    from .generated.proto.version.v1alpha1 import version_pb
    from .generated.proto.webhook.v1alpha1 import webhook_pb

__all__ = [
    "FILES",
    "SERVICES",
    "STANDARD_FILES",
    "access_pb",
    "annotations_pb",
    "audit_pb",
    "auth_pb",
    "catalog_pb",
    "delivery_pb",
    "deployment_pb",
    "error_details_pb",
    "event_pb",
    "freeze_pb",
    "health_pb",
    "http_pb",
    "incident_pb",
    "intake_pb",
    "link_pb",
    "lock_pb",
    "options_pb",
    "reflection_pb",
    "reflection_v1alpha_pb",
    "retention_pb",
    "status_pb",
    "terraform_pb",
    "version_pb",
    "webhook_pb",
]

SERVICES = (
    "event",
    "catalog",
    "lock",
    "link",
    "auth",
    "audit",
    "webhook",
    "incident",
    "terraform",
    "freeze",
    "intake",
    "version",
    "deployment",
    "retention",
    "delivery",
)
"""The packages that declare services, in the order of the documents."""
_PACKAGES = {
    "access_pb": "proto.access.v1",
    "annotations_pb": "google.api",
    "error_details_pb": "google.rpc",
    "health_pb": "grpc.health.v1",
    "http_pb": "google.api",
    "options_pb": "proto.options.v1",
    "reflection_pb": "grpc.reflection.v1",
    "reflection_v1alpha_pb": "grpc.reflection.v1alpha",
    "status_pb": "google.rpc",
}
"""Where below `generated` the modules are that are not of services of our own."""


def _imported(name: str) -> object:
    if name in ("FILES", "STANDARD_FILES"):
        return getattr(import_module(".files", __name__), name)
    package = _PACKAGES.get(name) or f"proto.{name.removesuffix('_pb')}.v1alpha1"
    return import_module(f".generated.{package}.{name.replace('_v1alpha_', '_')}", __name__)


if not TYPE_CHECKING:  # to whom it would mean that there is every name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = _imported(name)
        return found
