"""The messages and descriptors generated from `proto/`, by short names.

Everything under `generated` is written by `make generate`; nothing else imports from it.
"""

from __future__ import annotations

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

FILES = (
    event_pb.desc(),
    catalog_pb.desc(),
    lock_pb.desc(),
    link_pb.desc(),
    auth_pb.desc(),
    audit_pb.desc(),
    webhook_pb.desc(),
    incident_pb.desc(),
    terraform_pb.desc(),
    freeze_pb.desc(),
    intake_pb.desc(),
    version_pb.desc(),
    deployment_pb.desc(),
    retention_pb.desc(),
    delivery_pb.desc(),
)
"""Descriptors of the files that declare Tracker's services."""
STANDARD_FILES = (health_pb.desc(), reflection_pb.desc(), reflection_v1alpha_pb.desc())
"""Descriptors of the files that declare the standard services of gRPC."""

__all__ = [
    "FILES",
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
    "retention_pb",
    "status_pb",
    "terraform_pb",
    "version_pb",
    "webhook_pb",
]
