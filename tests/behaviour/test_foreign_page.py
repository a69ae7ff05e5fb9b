"""A page of another site in a real browser: it tries what pages can, and changes and reads nothing here."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tracker.app import App
    from tracker.config.settings import Settings

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")

BOUND = 60.0
EVENT = {"title": "by a page", "attributes": {"service": "s", "type": "deployment"}}
PAGE = """<!doctype html><title>under way</title><body><script>
const api = "http://TARGET/api/v1alpha1", event = EVENT, lock = "LOCK";
const read = [];
function form(action, enctype, fields, method = "post") {
  const frame = document.createElement("iframe");
  frame.name = "frame" + Math.random();
  document.body.append(frame);
  const form = Object.assign(document.createElement("form"), {action, enctype, method, target: frame.name});
  for (const [name, value] of Object.entries(fields))
    form.append(Object.assign(document.createElement("input"), {name, value}));
  document.body.append(form);
  form.submit();
}
const text = JSON.stringify(event);
const half = text.slice(0, -1) + ',"x":"';
for (const enctype of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"]) {
  form(api + "/event", enctype, {[half]: '"}'});
  form(api + "/lock/" + lock + "/unlock", enctype, {["{}"]: ""});
}
form(api + "/unlock/" + lock, "", {}, "get");
const tries = [];
function attempt(path, options) {
  tries.push(fetch(api + path, options).then(async answer => {
    const body = await answer.text();
    if (body) read.push(path);
  }).catch(() => {}));
}
for (const mode of ["no-cors", "cors"]) {
  attempt("/event", {method: "POST", mode, body: text});
  attempt("/event", {method: "POST", mode, body: new Blob([text], {type: "text/plain"})});
  attempt("/unlock/" + lock, {mode});
  attempt("/events/list", {mode});
  attempt("/locks/list", {mode, credentials: "include"});
}
attempt("/event", {method: "POST", headers: {"content-type": "application/json"}, body: text});
attempt("/event", {method: "PUT", headers: {"content-type": "application/json"}, body: text});
attempt("/lock/" + lock, {method: "DELETE"});
navigator.sendBeacon(api + "/event", new Blob([text], {type: "text/plain"}));
for (const [kind, key] of [["img", "src"], ["script", "src"], ["iframe", "src"]])
  document.body.append(Object.assign(document.createElement(kind), {[key]: api + "/unlock/" + lock}));
tries.push(new Promise(done => {
  const script = Object.assign(document.createElement("script"), {src: "http://TARGET/config.js"});
  script.onload = () => { read.push("script"); done(); };
  script.onerror = done;
  document.body.append(script);
}));
tries.push(new Promise(done => {
  const socket = new WebSocket("ws://TARGET/api/v1alpha1/unlock/" + lock);
  socket.onopen = () => { read.push("websocket"); done(); };
  socket.onerror = done;
}));
Promise.all(tries).then(() => setTimeout(() => {
  document.title = "done: " + JSON.stringify(read);
}, 1500));
</script>"""


async def visit(page: str, tmp_path: Path, site: str, rules: str = "") -> str:
    """Return the title that a page of a site of its own has in the end, in a browser that opens it."""
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # browsers open connections that they don't use
            await reader.readuntil(b"\r\n\r\n")
        body = page.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        served.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        dom = await browse(f"http://{site}:{port}/", tmp_path, rules)
    assert served.is_set()
    return dom.partition("<title>")[2].partition("</title>")[0]


async def browse(url: str, tmp_path: Path, rules: str = "") -> str:
    """Return what a page has become in a browser, as HTML."""
    assert CHROMIUM is not None
    browser = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--timeout=15000", "--virtual-time-budget=20000"),
        *((f"--host-resolver-rules={rules}",) if rules else ()),
        *("--dump-dom", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(BOUND):
            out, _ = await browser.communicate()
    finally:
        if browser.returncode is None:
            browser.kill()
    return out.decode()


async def a_lock(http: httpx2.AsyncClient) -> str:
    made = await http.post("/api/v1alpha1/lock", json={"service": "s", "who": "ana", "ttl": "600s"})
    return str(made.json()["lock"]["id"])


def attacking(app: App, host: str, lock: str) -> str:
    target = f"{host}:{app.http_address[1]}"
    return PAGE.replace("TARGET", target).replace("EVENT", json.dumps(EVENT)).replace("LOCK", lock)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, allowed_hosts=("tracker.example",))


@pytest.mark.parametrize(
    ("site", "host", "rules"),
    [
        ("localhost", "127.0.0.1", ""),
        # Without TLS, browsers say where a request comes from only to servers on their own machine.
        ("site.example", "tracker.example", "MAP *.example 127.0.0.1"),
    ],
)
async def test_a_page_of_another_site_changes_and_reads_nothing(
    app: App, http: httpx2.AsyncClient, tmp_path: Path, site: str, host: str, rules: str
) -> None:
    lock = await a_lock(http)
    assert await visit(attacking(app, host, lock), tmp_path, site, rules) == "done: []"
    assert (await http.get("/api/v1alpha1/events/list")).json()["totalCount"] == 0
    assert (await http.get(f"/api/v1alpha1/lock/{lock}")).status_code == 200
    async with asyncio.timeout(BOUND):
        metrics = await http.get(f"http://127.0.0.1:{app.metrics_address[1]}/metrics")
    refused = [
        line for line in metrics.text.splitlines() if 'code="PERMISSION_DENIED"' in line and "_count" in line
    ]
    assert sum(float(line.rpartition(" ")[2]) for line in refused) >= 10  # the page did try


async def test_a_page_whose_name_leads_here_reads_nothing(
    app: App, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await a_lock(http)
    port = app.http_address[1]
    url = f"http://rebound.example:{port}/api/v1alpha1/locks/list"
    dom = await browse(url, tmp_path, "MAP rebound.example 127.0.0.1")
    assert "UNKNOWN_HOST" in dom
    assert "ana" not in dom
    assert "ana" in await browse(url.replace("rebound.example", "127.0.0.1"), tmp_path)
