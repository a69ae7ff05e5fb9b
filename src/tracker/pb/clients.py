"""The generated gRPC clients, one a service; `Sync` ones for code without an event loop."""

from __future__ import annotations

from .generated.proto.catalog.v1alpha1.catalog_pb_grpc import CatalogServiceClient, CatalogServiceClientSync
from .generated.proto.event.v1alpha1.event_pb_grpc import EventServiceClient, EventServiceClientSync
from .generated.proto.link.v1alpha1.link_pb_grpc import LinkServiceClient, LinkServiceClientSync
from .generated.proto.lock.v1alpha1.lock_pb_grpc import LockServiceClient, LockServiceClientSync

__all__ = [
    "CatalogServiceClient",
    "CatalogServiceClientSync",
    "EventServiceClient",
    "EventServiceClientSync",
    "LinkServiceClient",
    "LinkServiceClientSync",
    "LockServiceClient",
    "LockServiceClientSync",
]
