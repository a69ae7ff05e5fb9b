from __future__ import annotations

import asyncio
import shutil
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from tests.behaviour.servers import metrics
from tests.clients import http_client
from tests.intakes.programs import node, run, script
from tests.patience import PATIENCE

from tracker.app import App
from tracker.errors import SetupError
from tracker.intakes.dogstatsd_messages import parse
from tracker.permissions import Permission

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

SEND = r"""
import sys
from datadog.dogstatsd import DogStatsd
kind, place = sys.argv[1:]
where = {"host": "127.0.0.1", "port": int(place)} if kind == "udp" else {"socket_path": place}
statsd = DogStatsd(**where, disable_telemetry=True)
statsd.increment("page.views", tags=["a:b"])
statsd.event(
    "D\u00e9ploy | v1", "line1\nline2|x", alert_type="success", aggregation_key="ak", hostname="h1",
    source_type_name="jenkins", date_happened=1700000000, priority="low", tags=["type:deployment", "x"],
)
statsd.service_check("up", 0)
statsd.flush()
"""


def starting(settings: Settings, address: str) -> App:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    return App(replace(settings, dogstatsd_address=address), log)


async def events_of(app: App, number: int) -> list[Any]:
    """Wait until so many events are recorded."""
    async with asyncio.timeout(PATIENCE), http_client(app.http_address) as http:
        while True:
            events: list[Any] = (await http.get("/api/v1alpha1/events/list?perPage=200")).json()["events"]
            if len(events) >= number:
                return events
            await asyncio.sleep(0.01)  # between two polls


async def test_hot_shots_sends_lengths_in_utf_16(settings: Settings) -> None:
    async with starting(settings, "udp://127.0.0.1:0") as app:
        assert app.dogstatsd is not None
        await node("hot_shots.js", str(app.dogstatsd.port))
        (event,) = await events_of(app, 1)
        assert (event["title"], event["attributes"]["message"]) == ("Déployé 🚀 | v1", "line1\nline2")
        wanted = {"service": "shop", "environment": "production", "status": "success"}
        assert wanted.items() <= event["attributes"].items()


@pytest.mark.parametrize("kind", ["udp", "unix"])
async def test_the_client_sends_events_and_metrics_are_counted(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "d.sock"
    async with starting(settings, "udp://127.0.0.1:0" if kind == "udp" else f"unix://{path}") as app:
        assert app.dogstatsd is not None
        place = str(app.dogstatsd.port) if kind == "udp" else str(path)
        await script(SEND, kind, place, DD_ENV="prod", DD_SERVICE="cart", DD_VERSION="1.2")
        (event,) = await events_of(app, 1)
        wanted = {
            "service": "cart",
            "environment": "production",
            "version": "1.2",
            "type": "deployment",
            "status": "success",
            "source": "jenkins",
            "priority": "P5",
            "startDate": "2023-11-14T22:13:20Z",
            "message": "line1\nline2|x",
            "labels": {"x": "true", "host": "h1", "aggregation_key": "ak"},
        }
        assert event["title"] == "Déploy | v1"
        assert {name: event["attributes"][name] for name in wanted} == wanted
        counted = await metrics(app)
        for each, number in (
            ("event", 1),
            ("metric", 1),
            ("check", 1),
            ("malformed", 0),
            ("dropped", 0),
            ("lost", 0),
        ):
            assert f'tracker_dogstatsd_messages_total{{kind="{each}"}} {number}.0' in counted
    assert not path.exists()


ONE_LINERS = {
    "bash": 'echo -n "_e{${#title},${#text}}:$title|$text|#env:prod,service:cart" > /dev/udp/127.0.0.1/$1',
    "nc": 'echo -n "_e{${#title},${#text}}:$title|$text|#env:prod,service:cart" | nc -u -w1 127.0.0.1 $1',
}
"""What pipelines without a client run; `nc -w0` ends unsent where echo has not written yet."""


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("program", ONE_LINERS)
async def test_a_line_of_a_shell_sends_an_event(settings: Settings, program: str, locale: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} here, so that its one-liner is NOT tested")
    line = f'title="Déployé | 1.2"; text="über alles"; {ONE_LINERS[program]}'
    async with starting(settings, "udp://127.0.0.1:0") as app:
        assert app.dogstatsd is not None
        await run("bash", "-c", line, "bash", str(app.dogstatsd.port), LC_ALL=locale)
        (event,) = await events_of(app, 1)
        assert (event["title"], event["attributes"]["message"]) == ("Déployé | 1.2", "über alles")
        assert {"service": "cart", "environment": "production"}.items() <= event["attributes"].items()


async def test_a_burst_of_datagrams_is_recorded_or_counted(settings: Settings) -> None:
    async with starting(settings, "udp://127.0.0.1:0") as app:
        assert app.dogstatsd is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", app.dogstatsd.port))
            for n in range(50):
                sender.send(b"_e{2,1}:e%d|x\nm:1|c\nno message\n" % (n % 10))
        assert len(await events_of(app, 50)) == 50
        assert 'kind="malformed"} 50.0' in await metrics(app)


async def test_a_server_that_stops_records_what_has_arrived(settings: Settings) -> None:
    async with starting(settings, "udp://127.0.0.1:0") as app:
        assert app.dogstatsd is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(100):
                sender.sendto(b"_e{1,1}:a|b", ("127.0.0.1", app.dogstatsd.port))
    async with starting(settings, "udp://127.0.0.1:0") as app:
        assert len(await events_of(app, 100)) == 100


async def test_datagrams_need_an_address_and_the_permission(settings: Settings) -> None:
    with pytest.raises(SetupError, match="expected udp://HOST:PORT or unix:///PATH, not tcp://x"):
        await starting(settings, "tcp://x").__aenter__()
    closed = replace(settings, auth_anonymous_permissions=frozenset({Permission.EVENT_READ}))
    with pytest.raises(SetupError, match="needs event:write"):
        await starting(closed, "udp://127.0.0.1:0").__aenter__()


@pytest.mark.parametrize("unit", ["utf-8", "utf-16-le", "utf-32-le"])
def test_lengths_count_bytes_or_utf_16_units_or_characters(unit: str) -> None:
    title, text, size = "Dé😀|ploy", "€|\\n", {"utf-8": 1, "utf-16-le": 2, "utf-32-le": 4}[unit]
    lengths = ",".join(str(len(each.encode(unit)) // size) for each in (title, text))
    messages = parse(f"_e{{{lengths}}}:{title}|{text}|#env:prod|c:in-1\nmetric:1|c\n".encode())
    assert messages.counts == {"event": 1, "metric": 1}
    (event,) = messages.events
    assert event.attributes is not None
    assert (event.title, event.attributes.message) == ("Dé😀|ploy", "€|\n")
    assert event.attributes.environment.name == "production"


def test_a_one_liner_of_a_shell_and_malformed_datagrams() -> None:
    (event,) = parse(b"_e{5,0}:Hello||#shell").events
    assert event.attributes is not None
    assert (event.title, event.attributes.message, event.attributes.labels) == (
        "Hello",
        "Hello",
        {"shell": "true"},
    )
    (event,) = parse(b"_e{1,1}:a|b|t:ERROR|p:urgent").events
    assert (event.attributes is not None and event.attributes.status.name) == "error"
    (event,) = parse(b"_e{1,1}:a|b|t:odd|p:Low").events
    assert event.attributes is not None
    assert (int(event.attributes.status), event.attributes.priority.name) == (0, "P5")
    for datagram in (
        b"_e{1,1}:ab|c",
        b"_e{99999,1}:a|b",
        b"_e{1,1}:a|b|d:soon",
        b"_e{0,0}:|",
        b"_e{1,1}:\xff|b",
        b"_e{",
    ):
        assert parse(datagram).counts == {"malformed": 1}, datagram
    assert parse(b"").counts == {}
    assert parse(b"_e{1,1}:a|b\n" * 1000).counts == {"malformed": 1}  # is larger than any client sends
    assert parse(b"_e{1,1}:a|b\n" * 600).counts == {"event": 600}
