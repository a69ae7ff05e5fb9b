from __future__ import annotations

import pytest

from tracker import pb
from tracker.api.calls.endpoint import methods_of
from tracker.pb import health_pb, lock_pb


class Health:
    """Answers RPCs whose protos, not being ours, say nothing of permissions."""

    async def check(self, _request: object, _call: object) -> None:
        pass

    async def list(self, _request: object, _call: object) -> None:
        pass

    async def watch(self, _request: object, _call: object) -> None:
        pass


def test_an_rpc_that_does_not_say_who_may_call_it_keeps_a_server_from_being_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pb, "FILES", (health_pb.desc(),))
    with pytest.raises(ValueError, match=r"grpc\.health\.v1\.Health/\w+ does not say who may call it"):
        [*methods_of([Health()])]


def test_so_does_one_that_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pb, "FILES", (lock_pb.desc(),))
    with pytest.raises(ValueError, match="create_lock has 0 answers"):
        [*methods_of([Health()])]
