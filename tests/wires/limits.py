"""Limits that are reached soon."""

from __future__ import annotations

from tracker.api.grpc_call import GrpcLimits
from tracker.api.http_protocol import HttpLimits

SHORT_HTTP = HttpLimits(head_seconds=0.3, body_seconds=0.3, idle_seconds=1, message_bytes=8 * 1024 * 1024)


SHORT_GRPC = GrpcLimits(message_seconds=1)
