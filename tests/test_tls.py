"""TLS on both wires, with certificates that change, and with those of clients."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc.aio
import httpx2
import pytest
import structlog
from tests.certificates import Authority
from tests.cli.commands import tracker
from tests.patience import PATIENCE

from tracker.api.tls import Tls
from tracker.app import App
from tracker.errors import SetupError
from tracker.pb import health_pb

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clocks import StoppedClock

    from tracker.config.settings import Settings

HEALTH = "/grpc.health.v1.Health/Check"
LOG = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def settings(settings: Settings, authority: Authority) -> Settings:
    certificate, key = authority.vouch_for("server")
    return replace(settings, tls_cert=certificate, tls_key=key)


def of_client(authority: Authority, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    if client is not None:
        context.load_cert_chain(*client)
    return context


async def rest_status(app: App, context: ssl.SSLContext, port: int | None = None) -> int:
    url = f"https://127.0.0.1:{port or app.http_address[1]}/livez"
    async with httpx2.AsyncClient(verify=context) as http:
        return (await http.get(url)).status_code


async def grpc_health(app: App, authority: Authority, client: tuple[Path, Path] | None = None) -> int:
    own = () if client is None else (client[1].read_bytes(), client[0].read_bytes())
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes(), *own)
    address = f"127.0.0.1:{app.grpc_address[1]}"
    async with grpc.aio.secure_channel(address, credentials) as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH)
        answer = await check(b"", timeout=PATIENCE)
    return health_pb.HealthCheckResponse.from_binary(answer).status


async def test_both_wires_and_metrics_are_served_over_tls_alone(app: App, authority: Authority) -> None:
    context = of_client(authority)
    assert await rest_status(app, context) == 200
    assert await rest_status(app, context, app.metrics_address[1]) == 200
    assert await grpc_health(app, authority) == 1
    async with httpx2.AsyncClient() as http:
        with pytest.raises(httpx2.TransportError):
            await http.get(f"http://127.0.0.1:{app.http_address[1]}/livez")


async def test_a_large_body_and_a_large_answer_pass(app: App, authority: Authority) -> None:
    event = {"title": "t", "attributes": {"service": "s", "type": "drift", "message": "x" * 60_000}}
    base = f"https://127.0.0.1:{app.http_address[1]}/api/v1alpha1"
    async with httpx2.AsyncClient(verify=of_client(authority)) as http:
        events = [event | {"title": str(number)} for number in range(60)]
        made = await http.post(f"{base}/events/import", json={"events": events})
        assert made.status_code == 200
        listed = await http.get(f"{base}/events/list?perPage=60")
        assert len(listed.content) > 2_000_000


async def test_protocols_are_agreed_on(app: App, authority: Authority) -> None:
    for port, protocol in ((app.http_address[1], "http/1.1"), (app.grpc_address[1], "h2")):
        context = of_client(authority)
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == protocol
        assert writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        writer.close()


class TestOfClients:
    @pytest.fixture
    def settings(self, settings: Settings, authority: Authority) -> Settings:
        return replace(settings, tls_client_ca=authority.file)

    async def test_only_those_with_a_certificate_are_let_in(
        self, app: App, authority: Authority, tmp_path: Path
    ) -> None:
        client = authority.vouch_for("client")
        stranger = Authority(tmp_path, "stranger").vouch_for("unknown")
        assert await rest_status(app, of_client(authority, client)) == 200
        assert await grpc_health(app, authority, client) == 1
        assert await rest_status(app, of_client(authority), app.metrics_address[1]) == 200
        for wrong in (None, stranger):
            with pytest.raises(httpx2.TransportError):
                await rest_status(app, of_client(authority, wrong))
            with pytest.raises(grpc.aio.AioRpcError):
                await grpc_health(app, authority, wrong)

    async def test_commands_have_a_certificate(self, app: App, authority: Authority, tmp_path: Path) -> None:
        certificate, key = authority.vouch_for("client")
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        server = {
            "TRACKER_SERVER": f"https://127.0.0.1:{app.http_address[1]}",
            "SSL_CERT_FILE": str(authority.file),
        }
        apart = {"TRACKER_CLIENT_CERT": str(certificate), "TRACKER_CLIENT_KEY": str(key)}
        for own in (apart, {"TRACKER_CLIENT_CERT": str(both)}):
            done = await asyncio.to_thread(tracker, "event", "list", environ=server | own)
            assert (done.returncode, done.stderr) == (0, "no events\n")
        for wrong in (certificate, tmp_path / "missing.pem"):
            own = {"TRACKER_CLIENT_CERT": str(wrong)}
            done = await asyncio.to_thread(tracker, "event", "list", environ=server | own)
            assert done.returncode == 64
            assert f"the certificate of TRACKER_CLIENT_CERT can't be used: {wrong}" in done.stderr


async def test_a_stop_does_not_wait_for_clients_that_keep_connections(
    settings: Settings, authority: Authority, clock: StoppedClock
) -> None:
    def connect(port: int) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port))
        return of_client(authority).wrap_socket(plain, server_hostname="127.0.0.1")

    with ExitStack() as kept:
        async with App(replace(settings, shutdown_grace=600), LOG, clock) as app:
            for _, port in (app.http_address, app.grpc_address):
                kept.enter_context(await asyncio.to_thread(connect, port))
            began = time.monotonic()
        assert time.monotonic() - began < 300


async def test_a_connection_ends_soon_although_its_client_keeps_it(app: App, authority: Authority) -> None:
    def ask(port: int, request: bytes) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        with of_client(authority).wrap_socket(plain, server_hostname="127.0.0.1") as over_tls:
            over_tls.sendall(request)
            while over_tls.recv(4096):
                pass
            with socket.socket(fileno=over_tls.detach()) as still_open, suppress(ConnectionResetError):
                still_open.settimeout(PATIENCE)
                while still_open.recv(4096):
                    pass

    last = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    http, http2 = app.http_address[1], app.grpc_address[1]
    asked = (
        (http, last),
        (http, b"no request\r\n\r\n"),
        (http2, b"no preface of HTTP/2, but other text\r\n"),
    )
    await asyncio.gather(*(asyncio.to_thread(ask, port, request) for port, request in asked))


async def served_by(context: ssl.SSLContext, authority: Authority) -> str:
    """Return for whom the certificate is that a new connection gets."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        host, port = server.sockets[0].getsockname()
        _, writer = await asyncio.open_connection(host, port, ssl=of_client(authority))
        (((_, name),),) = writer.get_extra_info("peercert")["subject"]
        writer.close()
    return str(name)


async def test_new_connections_get_the_certificate_that_the_files_have(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.api.tls._LOOK_SECONDS", 0)
    certificate, key = authority.vouch_for("first")
    tls = Tls(certificate, key, None, structlog.get_logger())
    context = tls.context("http/1.1")
    assert await served_by(context, authority) == "first"
    second = authority.vouch_for("second")
    second[0].replace(certificate)
    with pytest.raises(SetupError, match="the key of the certificate; the files read before are in use"):
        await tls.follow()  # its key is not there yet
    assert await served_by(context, authority) == "first"
    second[1].replace(key)
    await tls.follow()
    assert await served_by(context, authority) == "second"
    for harm, problem in ((lambda: key.write_bytes(b""), "TLS can't use"), (key.unlink, "No such file")):
        harm()
        with pytest.raises(SetupError, match=problem):
            await tls.follow()
    assert await served_by(context, authority) == "second"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_sessions_of_an_authority_that_was_removed_are_not_resumed(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion
) -> None:
    monkeypatch.setattr("tracker.api.tls._LOOK_SECONDS", 0)
    removed = Authority(tmp_path, "removed")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(removed.file.read_bytes())
    tls = Tls(*authority.vouch_for("server"), trusted, LOG)
    listening = tls.context("http/1.1")
    client = of_client(authority, removed.vouch_for("client"))
    client.maximum_version = version
    session = shake_hands(client, listening).session
    assert shake_hands(client, listening, session).session_reused
    trusted.write_bytes(Authority(tmp_path, "other").file.read_bytes())
    await tls.follow()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, listening, session)


def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLObject:
    """Return the client's end of a new connection, over which the server has said something."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    listening = server.wrap_bio(up, down, server_side=True)
    calling = client.wrap_bio(down, up, server_hostname="127.0.0.1", session=session)
    for each in (calling, listening) * 3:
        with suppress(ssl.SSLWantReadError):
            each.do_handshake()
    listening.write(b"x")
    assert calling.read(1) == b"x"
    return calling


@pytest.mark.parametrize("broken", ["missing", "empty", "other key"])
def test_files_that_cannot_be_used_are_named(authority: Authority, broken: str) -> None:
    certificate, key = authority.vouch_for("server")
    if broken == "missing":
        certificate.unlink()
    elif broken == "empty":
        certificate.write_bytes(b"")
    else:
        key = authority.vouch_for("other")[1]
    with pytest.raises(OSError, match=r"server\.crt") as error:
        Tls(certificate, key, None, LOG)
    assert "\n" not in str(error.value)
