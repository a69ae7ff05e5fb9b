"""The calls of the lock service."""

from __future__ import annotations

from tracker.pb import lock_pb as pb

from .rpc import Rpc

CHECK_LOCK = Rpc(pb.CheckLockRequest, pb.CheckLockResponse)
CREATE_LOCK = Rpc(pb.CreateLockRequest, pb.CreateLockResponse)
GET_LOCK = Rpc(pb.GetLockRequest, pb.GetLockResponse)
LIST_LOCKS = Rpc(pb.ListLocksRequest, pb.ListLocksResponse)
RENEW_LOCK = Rpc(pb.RenewLockRequest, pb.RenewLockResponse)
UN_LOCK = Rpc(pb.UnLockRequest, pb.UnLockResponse)
UPDATE_LOCK = Rpc(pb.UpdateLockRequest, pb.UpdateLockResponse)
