"""Who may call what: every RPC over both wires, and every plain route, by every kind of caller.

What is expected follows from the permission that the proto or the route declares.
"""

from __future__ import annotations

import json
import re
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import grpc.aio
import pytest
from tests.clients import METHODS, STRICT, GrpcClient, Refused, RestClient, http_client
from tests.contract.requests import UUID, VALID

import tracker.app
from tracker.api.rest import RestApi
from tracker.domain.access import NARROWABLE
from tracker.pb.options import is_open_for_own, permission_of
from tracker.permissions import ALL_PERMISSIONS, Permission
from tracker.web import site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from tests.clients import Client, JsonObject
    from tests.clocks import StoppedClock

    from tracker.api.routes import HttpRoute
    from tracker.app import App
    from tracker.config.settings import Settings

READ = frozenset(each for each in Permission if each.endswith(":read") and each in NARROWABLE)
WRITE = READ | {Permission.EVENT_WRITE, Permission.CATALOG_WRITE, Permission.LOCK_WRITE}
MARKER = "payments"
"""In every record of the service that one caller has no grant for."""

REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
ALLOWED = {"OK", "NOT_FOUND", "ALREADY_EXISTS", "INVALID_ARGUMENT", "FAILED_PRECONDITION"}
OUTSIDE = {"OK", "NOT_FOUND", "PERMISSION_DENIED"}


@dataclass(frozen=True)
class Caller:
    """One kind of caller: its secret, and what it may do, None for what is no valid key."""

    name: str
    secret: str | None
    permissions: frozenset[Permission] | None
    narrowed: bool = False

    def expected(self, permission: Permission | None) -> set[str]:
        """Return the codes that one of is the answer to a call that needs a permission."""
        if self.permissions is None:
            return {"UNAUTHENTICATED"}
        if permission is None:
            return ALLOWED
        if self.secret is None:
            return {"UNAUTHENTICATED"}
        if permission not in self.permissions:
            return {"PERMISSION_DENIED"}
        if self.narrowed:
            return OUTSIDE if permission in NARROWABLE else {"PERMISSION_DENIED"}
        return ALLOWED


class Records(NamedTuple):
    """The records of the service that one caller has no grant for."""

    event_id: str
    lock_id: str


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, auth_anonymous_permissions=frozenset())


@dataclass
class Routes:
    """The plain routes of a server: those of its HTTP port, and those of its port for metrics."""

    of_each_port: list[list[HttpRoute]] = field(default_factory=list)


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Routes:
    """Give the plain routes that the server declares, once it runs."""
    found = Routes()

    class Reporting(RestApi):
        def __init__(self, chain: Any, methods: Any, routes: Any, **more: Any) -> None:
            found.of_each_port.append([*routes])
            super().__init__(chain, methods, routes, **more)

    monkeypatch.setattr(tracker.app, "RestApi", Reporting)
    return found


@pytest.fixture
async def clients(app: App, http: httpx2.AsyncClient) -> AsyncIterator[list[Client]]:
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}", options=STRICT) as channel:
        yield [RestClient(http), GrpcClient(channel)]


@pytest.fixture
async def callers(app: App, clients: list[Client], clock: StoppedClock) -> list[Caller]:
    admin = clients[0].bearing(app.access.first_key)

    async def key(name: str, *permissions: Permission, **more: Any) -> Any:
        asked = {"name": name, "permissions": [*permissions], **more}
        return await admin.call("AuthService/CreateApiKey", asked)

    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    expired = (await key("expired", expiresAt=soon))["secret"]
    clock.seconds += 61
    revoked = await key("revoked")
    await admin.call("AuthService/RevokeApiKey", {"id": revoked["apiKey"]["id"]})
    elsewhere = (await key("other service", services=["elsewhere"]))["secret"]
    granted = {
        "wrong scope": frozenset({Permission.METRICS_READ}),
        "reader": READ,
        "writer": WRITE,
    }
    return [
        Caller("none", None, frozenset()),
        Caller("garbage", "trk_garbage", None),
        Caller("expired", expired, None),
        Caller("revoked", revoked["secret"], None),
        *[Caller(name, (await key(name, *of))["secret"], of) for name, of in granted.items()],
        Caller("other service", elsewhere, ALL_PERMISSIONS, narrowed=True),
        Caller("admin", app.access.first_key, ALL_PERMISSIONS),
    ]


@pytest.fixture
async def records(app: App, clients: list[Client]) -> Records:
    admin = clients[0].bearing(app.access.first_key)
    attributes = {"service": MARKER, "type": "deployment", "owner": MARKER}
    event = await admin.call("EventService/CreateEvent", {"title": MARKER, "attributes": attributes})
    lock = await admin.call("LockService/CreateLock", {"service": MARKER, "who": MARKER})
    entry = {"name": MARKER, "owner": MARKER, "version": "1"}
    await admin.call("CatalogService/CreateUpdateCatalog", entry)
    return Records(event["event"]["metadata"]["id"], lock["lock"]["id"])


def request_for(method: str, caller: Caller, records: Records) -> JsonObject:
    """Return a valid request; that of the narrowed caller is for the records that it has no grant for."""
    request = VALID[METHODS[method].input.name]
    if not caller.narrowed:
        return request
    of_service = {
        UUID: records.lock_id if method.startswith("Lock") else records.event_id,
        "s": MARKER,
        "n": MARKER,
    }
    text = json.dumps(request)
    for value, marked in of_service.items():
        text = text.replace(f'"{value}"', f'"{marked}"')
    changed: JsonObject = json.loads(text)
    return changed


async def answer_to(client: Client, method: str, request: JsonObject) -> tuple[str, str]:
    """Return the code of an answer, and the text of it."""
    try:
        if METHODS[method].method_kind == "unary":
            return "OK", json.dumps(await client.call(method, request))
        async with aclosing(client.stream(method, request)) as messages:
            return "OK", json.dumps(await anext(messages))
    except Refused as refused:
        return refused.code, ""


async def test_every_rpc_answers_every_caller_as_its_permission_says(
    clients: list[Client], callers: list[Caller], records: Records
) -> None:
    wrong = []
    for method in METHODS:
        word = permission_of(METHODS[method])
        permission = None if word == "public" else Permission(word)
        own = is_open_for_own(METHODS[method])
        for caller in callers:
            request = request_for(method, caller, records)
            expected = caller.expected(permission)
            if own and caller.secret is not None and caller.permissions is not None:
                expected = expected | ALLOWED
            for client in clients:
                code, text = await answer_to(client.bearing(caller.secret), method, request)
                leaked = caller.narrowed and MARKER in text and permission in READ
                if code not in expected or leaked:
                    wrong.append((client.wire, method, caller.name, code, text))
    assert wrong == []
    admin = clients[0].bearing(callers[-1].secret)
    event = (await admin.call("EventService/GetEvent", {"id": records.event_id}))["event"]
    assert (event["title"], len(event["changelog"])) == (MARKER, 1)
    assert (await admin.call("LockService/GetLock", {"id": records.lock_id}))["lock"]["who"] != ""
    assert (await admin.call("CatalogService/GetCatalog", {"name": MARKER}))["catalog"]["version"] == "1"


FORMS = {
    "/account": Permission.ACCESS_MANAGE,
    "/locks/{id}": Permission.LOCK_WRITE,
    "/freezes": Permission.FREEZE_WRITE,
    "/freezes/{id}": Permission.FREEZE_WRITE,
    "/deploy-check": Permission.DEPLOYMENT_OVERRIDE,
    "/webhooks": Permission.WEBHOOK_WRITE,
    "/webhooks/{id}": Permission.WEBHOOK_WRITE,
    "/intakes": Permission.INTAKE_WRITE,
    "/intakes/{id}": Permission.INTAKE_WRITE,
}
"""What the forms of pages need; those of others write events."""
READ_BY = {"/intakes/{id}": Permission.INTAKE_WRITE, "/webhooks/{id}": Permission.WEBHOOK_WRITE}
"""What pages need that show one record, if that is no event."""


async def test_every_plain_route_answers_every_caller_as_its_permission_says(
    routes: Routes, app: App, callers: list[Caller]
) -> None:
    wrong, known = [], {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    of_each_port = sorted(routes.of_each_port, key=len, reverse=True)
    for address, declared in zip((app.http_address, app.metrics_address), of_each_port, strict=True):
        async with http_client(address) as http:
            for route in declared:
                path = "/".join("x" if part.startswith("{") else part for part in route.path.split("/"))
                for caller in callers:
                    headers = {} if caller.secret is None else {"x-api-key": caller.secret}
                    form = {"action": "x"} if route.verb == "POST" else None
                    if form:
                        headers |= {"sec-fetch-site": "same-origin"}
                    status = (await http.request(route.verb, path, headers=headers, data=form)).status_code
                    expected = caller.expected(route.permission)
                    if route.handler.__module__ == site.__name__:  # a page asks RPCs for its caller
                        needed, usual = (
                            (FORMS, Permission.EVENT_WRITE) if form else (READ_BY, Permission.EVENT_READ)
                        )
                        asked = needed.get(route.path, usual)
                        expected = expected | caller.expected(asked)
                    if known.get(status, "OK") not in expected:
                        wrong.append((route.path, caller.name, status))
    assert wrong == []
    assert sum(map(len, routes.of_each_port)) > 5


async def test_every_page_has_a_strict_policy(routes: Routes, app: App) -> None:
    """A page runs scripts and shows styles from files of this server alone, and no site can frame it."""
    needed = {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}
    pages, lax = set(), []
    async with http_client(app.http_address) as http:
        for route in (route for declared in routes.of_each_port for route in declared if route.verb == "GET"):
            answer = await http.get("/".join("x" if "{" in part else part for part in route.path.split("/")))
            if "html" in answer.headers.get("content-type", ""):
                pages.add(route.path)
                policy = answer.headers.get("content-security-policy", "")
                if needed - set(re.split(r"; *", policy)) or re.search(r"unsafe|https?:|\*", policy):
                    lax.append((route.path, policy))
    assert lax == []
    assert "/docs" in pages


async def test_probes_over_grpc_need_no_credentials_but_refuse_wrong_ones(
    app: App, callers: list[Caller]
) -> None:
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        for caller in callers:
            metadata = [] if caller.secret is None else [("x-api-key", caller.secret)]
            check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            try:
                await check(b"", metadata=metadata)
                code = "OK"
            except grpc.aio.AioRpcError as error:
                code = error.code().name
            assert code in caller.expected(None), caller.name


def test_every_rpc_says_who_may_call_it() -> None:
    words = {permission_of(method) for method in METHODS.values()}
    assert words <= {"public", *Permission}
    with pytest.raises(ValueError, match="is not a valid Permission"):
        Permission("")
