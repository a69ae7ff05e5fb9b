"""The calls of the lock service."""

from __future__ import annotations

from tracker.pb import lock_pb

from .rpc import Rpc, methods_of

_METHODS = methods_of(lock_pb.desc())

CREATE_LOCK = Rpc(_METHODS["CreateLock"], lock_pb.CreateLockRequest, lock_pb.CreateLockResponse)
GET_LOCK = Rpc(_METHODS["GetLock"], lock_pb.GetLockRequest, lock_pb.GetLockResponse)
UPDATE_LOCK = Rpc(_METHODS["UpdateLock"], lock_pb.UpdateLockRequest, lock_pb.UpdateLockResponse)
UN_LOCK = Rpc(_METHODS["UnLock"], lock_pb.UnLockRequest, lock_pb.UnLockResponse)
RENEW_LOCK = Rpc(_METHODS["RenewLock"], lock_pb.RenewLockRequest, lock_pb.RenewLockResponse, repeatable=True)
CHECK_LOCK = Rpc(_METHODS["CheckLock"], lock_pb.CheckLockRequest, lock_pb.CheckLockResponse)
LIST_LOCKS = Rpc(_METHODS["ListLocks"], lock_pb.ListLocksRequest, lock_pb.ListLocksResponse)
