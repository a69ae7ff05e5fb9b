"""The descriptors of the files that declare services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker import pb

if TYPE_CHECKING:
    from protobuf import DescFile

FILES: tuple[DescFile, ...] = tuple(getattr(pb, f"{name}_pb").desc() for name in pb.SERVICES)
"""Descriptors of the files that declare Tracker's services."""
STANDARD_FILES = (pb.health_pb.desc(), pb.reflection_pb.desc(), pb.reflection_v1alpha_pb.desc())
"""Descriptors of the files that declare the standard services of gRPC."""
