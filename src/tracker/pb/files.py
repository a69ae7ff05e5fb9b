"""The descriptors of the files that declare services."""

from __future__ import annotations

from tracker.pb import (
    audit_pb,
    auth_pb,
    catalog_pb,
    delivery_pb,
    deployment_pb,
    event_pb,
    freeze_pb,
    health_pb,
    incident_pb,
    intake_pb,
    link_pb,
    lock_pb,
    reflection_pb,
    reflection_v1alpha_pb,
    retention_pb,
    terraform_pb,
    version_pb,
    webhook_pb,
)

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
