"""The Python client: what it sends, what it makes of answers, and what it repeats."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

import pytest

from tracker.client.connection import ApiError, Connection
from tracker.client.rpc import Rpc
from tracker.client.rpcs import CREATE_EVENT, CREATE_LOCK, GET_LOCK, LIST_LOCKS, RENEW_LOCK, UN_LOCK
from tracker.errors import Code
from tracker.pb import lock_pb

if TYPE_CHECKING:
    from tracker.client.rpc import A, Q

CHECK_LOCK = Rpc(lambda: (lock_pb.CheckLockRequest, lock_pb.CheckLockResponse))

LOCK = "0199f0c2-b7d2-7a10-a0f3-c1d2e4b5a697"
SECRET = "s3cret" * 5


class Scripted:
    """A server that gives the answers it is told to, one after another, and remembers what it was asked."""

    def __init__(self, *answers: tuple[int, str] | None) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.keys: list[str | None] = []
        left = list(answers)
        asked, keys = self.asked, self.keys

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                asked.append((self.command, self.path, body))
                keys.append(self.headers["idempotency-key"])
                answer = left.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("content-length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1].encode())

            do_POST = do_PUT = do_GET  # noqa: N815 - the names that the base class looks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def error(code: Code, message: str = "no", reason: str = "", **metadata: str) -> tuple[int, str]:
    """Return an answer as Tracker refuses."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "tracker",
        "metadata": metadata,
    }
    return 409, json.dumps({"code": int(code), "message": message, "details": [info]})


def asked(rpc: Rpc[Q, A], request: Q) -> tuple[str, str, str]:
    """Return what a call asks a server."""
    with Scripted((200, "{}")) as server, Connection(server.url) as connection:
        connection.call(rpc, request)
        return server.asked[0]


def test_a_request_goes_to_where_the_contract_has_it() -> None:
    assert asked(GET_LOCK, GET_LOCK.request(id=LOCK)) == ("GET", f"/api/v1alpha1/lock/{LOCK}", "")
    listed = asked(LIST_LOCKS, LIST_LOCKS.request(service="a b&c", environment="dev"))
    assert listed == ("GET", "/api/v1alpha1/locks/list?service=a+b%26c&environment=dev", "")
    checked = asked(CHECK_LOCK, CHECK_LOCK.request(service="s", fencing_token=2**60))
    assert checked == ("GET", f"/api/v1alpha1/lock/check?service=s&fencingToken={2**60}", "")
    verb, path, body = asked(CREATE_LOCK, CREATE_LOCK.request(service="s", labels={"a": "b"}))
    assert (verb, path) == ("POST", "/api/v1alpha1/lock")
    assert json.loads(body) == {"service": "s", "labels": {"a": "b"}}


def test_what_is_in_a_path_can_not_lead_elsewhere() -> None:
    assert asked(GET_LOCK, GET_LOCK.request(id="../a?b")) == ("GET", "/api/v1alpha1/lock/..%2Fa%3Fb", "")


def test_a_secret_is_never_in_a_url() -> None:
    for verb, path, body in (
        asked(UN_LOCK, UN_LOCK.request(id=LOCK, lock_token=SECRET)),
        asked(RENEW_LOCK, RENEW_LOCK.request(id=LOCK, lock_token=SECRET)),
    ):
        assert verb == "POST"
        assert SECRET not in path
        assert json.loads(body) == {"lockToken": SECRET}


@pytest.mark.parametrize("reason", ["LOCK_HELD", "ONE_OF_A_NEWER_SERVER"])
def test_a_refusal_has_its_code_reason_and_metadata(reason: str) -> None:
    with Scripted(error(Code.ALREADY_EXISTS, "held", reason, who="ada")) as server:
        with Connection(server.url) as connection, pytest.raises(ApiError) as caught:
            connection.call(CREATE_LOCK, CREATE_LOCK.request(service="s"))
        assert str(caught.value) == "held"
        assert (caught.value.code, caught.value.reason) == (Code.ALREADY_EXISTS, reason)
        assert caught.value.metadata == {"who": "ada"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((502, "<html>Bad Gateway"), Code.UNAVAILABLE),
        ((404, "<html>"), Code.INTERNAL),
        ((200, "<html>Welcome"), Code.INTERNAL),
        ((200, "[]"), Code.INTERNAL),
        ((500, '{"code": 99, "message": "x"}'), Code.INTERNAL),
    ],
)
def test_what_is_no_answer_of_tracker_is_said_so(answer: tuple[int, str], code: Code) -> None:
    with Scripted(answer) as server, Connection(server.url, patience=0) as connection:
        with pytest.raises(ApiError, match=server.url) as caught:
            connection.call(LIST_LOCKS, LIST_LOCKS.request())
        assert caught.value.code is code


def test_an_answer_with_fields_that_are_not_known_is_understood() -> None:
    answer = json.dumps({"lock": {"id": LOCK, "novelty": 1}, "more": []})
    with Scripted((200, answer)) as server, Connection(server.url) as connection:
        lock = connection.call(GET_LOCK, GET_LOCK.request(id=LOCK)).lock
        assert lock is not None
        assert lock.id == LOCK


UNAVAILABLE = error(Code.UNAVAILABLE)
OK = (200, "{}")


def test_a_call_that_only_reads_is_repeated() -> None:
    with Scripted(None, UNAVAILABLE, OK) as server, Connection(server.url) as connection:
        connection.call(LIST_LOCKS, LIST_LOCKS.request())
        assert len(server.asked) == 3
        assert len(set(server.asked)) == 1
        assert server.keys == [None] * 3


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        (CREATE_EVENT, CREATE_EVENT.request(title="t")),
        (CREATE_LOCK, CREATE_LOCK.request(service="s", lock_token=SECRET)),
        (RENEW_LOCK, RENEW_LOCK.request(id=LOCK)),
        (UN_LOCK, UN_LOCK.request(id=LOCK)),
        (UN_LOCK, UN_LOCK.request(id=LOCK, lock_token=SECRET)),
    ],
)
def test_a_call_that_changes_something_is_repeated_with_the_same_key(rpc: Rpc[Q, A], request_: Q) -> None:
    under_way = error(Code.ABORTED, reason="IDEMPOTENCY_KEY_UNDER_WAY")
    with Scripted(None, UNAVAILABLE, under_way, OK, OK) as server, Connection(server.url) as connection:
        connection.call(rpc, request_)
        connection.call(rpc, request_)
        assert len(set(server.asked)) == 1
        first, *again, another = server.keys
        assert first
        assert again == [first] * 3
        assert another not in (first, None)


def test_a_call_without_patience_is_made_once_and_needs_no_key() -> None:
    with Scripted(UNAVAILABLE, OK) as server, Connection(server.url) as connection:
        with pytest.raises(ApiError):
            connection.call(RENEW_LOCK, RENEW_LOCK.request(id=LOCK), patience=0)
        assert server.keys == [None]


def test_a_refusal_is_not_repeated() -> None:
    with Scripted(error(Code.NOT_FOUND), OK) as server, Connection(server.url) as connection:
        with pytest.raises(ApiError):
            connection.call(GET_LOCK, GET_LOCK.request(id=LOCK))
        assert len(server.asked) == 1


@pytest.mark.parametrize("server", ["localhost:8080", "ftp://localhost", "http://", ""])
def test_an_address_that_is_none_is_refused(server: str) -> None:
    with pytest.raises(ValueError, match="http://localhost:8080"):
        Connection(server)
