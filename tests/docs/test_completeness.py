"""What there is, is documented, and what is documented is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from tests.clients import METHODS
from tests.docs.pages import PAGES, ROOT, code, listing, read, section, table

from tracker import __version__, pb
from tracker.api.calls.endpoint import MAX_BODY
from tracker.api.grpc_call import GrpcLimits
from tracker.api.http_protocol import HttpLimits
from tracker.cli.main import app
from tracker.config.settings import SETTINGS
from tracker.errors import Code, Reason
from tracker.mcp.reads import READS
from tracker.mcp.writes import WRITES
from tracker.pb import annotations_pb, catalog_pb, event_pb
from tracker.telemetry.metrics import Metrics
from tracker.transcoding.json_text import MAX_DEPTH

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

    from tracker.pb import http_pb


@cache
def sources() -> dict[Path, ast.Module]:
    return {
        path: ast.parse(path.read_text("utf-8"))
        for path in sorted((ROOT / "src" / "tracker").rglob("*.py"))
        if "generated" not in path.parts
    }


def quoted(text: str) -> str:
    return f"`{text}`" if text else ""


def test_every_setting_is_listed_with_its_default() -> None:
    expected = [
        (
            quoted(setting.variable),
            quoted(str(setting.kind.show(setting.default) or "")),
            setting.help,
        )
        for setting in SETTINGS.values()
    ]
    assert table("docs/settings.md", "variable", "default", "meaning") == expected


def test_the_flags_and_keys_of_settings_follow_from_their_variables_as_documented() -> None:
    for setting in SETTINGS.values():
        assert setting.name == setting.variable.lower()
        assert setting.flag == f"--{setting.name.replace('_', '-')}"
    secrets = [setting.variable for setting in SETTINGS.values() if setting.secret]
    assert f"all users of a machine: `{'`, `'.join(secrets)}`." in read("docs/settings.md")


def test_operations_lists_every_metric() -> None:
    metrics = Metrics(max_services=1)
    metrics.event_status("service", "status", "environment")
    metrics.event_duration("service", "status", "environment", 1)
    metrics.calls_under_way(1)
    metrics.tasks.task_healthy("task", True)  # noqa: FBT003 - as the protocol has it
    metrics.consumers.consumer_lag("consumer", 1)
    metrics.retention.events_aged_out("policy", 1)
    metrics.call_finished("method", "grpc", "OK", 1)
    own = [metric for metric in metrics.registry.collect() if metric.name.startswith("tracker_")]
    expected = [(f"`{exposed_name(each)}{labels(each)}` ({each.type})", each.documentation) for each in own]
    assert listing("docs/operations.md", "## Metrics") == expected


def test_the_upgrade_page_says_what_each_release_changes() -> None:
    released = re.findall(r"^## \[([0-9.]+)\]", read("CHANGELOG.md"), re.MULTILINE)
    for version in {*released, __version__}:
        assert section("docs/operations.md", f"### To {version}").strip(), version


def exposed_name(metric: Metric) -> str:
    return str(metric.name) + {"counter": "_total", "info": "_info"}.get(metric.type, "")


def labels(metric: Metric) -> str:
    """Return the labels of a metric as PromQL writes them."""
    names = dict.fromkeys(name for sample in metric.samples for name in sample.labels if name != "le")
    return f"{{{','.join(names)}}}" if names else ""


def test_the_api_page_lists_every_call_with_its_paths() -> None:
    expected = []
    for name, method in METHODS.items():
        assert method.proto.options is not None
        rule = method.proto.options[annotations_pb.ext_http]
        paths = [f"`{verb_and_path(each)}`" for each in (rule, *rule.additional_bindings)]
        expected.append((f"`{name}`", ", ".join(paths)))
    assert listing("docs/api.md", "## Calls") == expected


def verb_and_path(rule: http_pb.HttpRule) -> str:
    assert rule.pattern is not None
    return f"{rule.pattern.field.upper()} {rule.pattern.value}"


def test_the_api_page_lists_every_package() -> None:
    text = read("docs/api.md")
    assert all(f"`{file.proto.package}`" in text for file in pb.FILES)


def test_the_api_page_lists_every_error_code_and_reason_as_the_table_of_errors_has_them() -> None:
    found = {}
    for part in re.split(r"^(?=\*\*`)", section("docs/api.md", "### Reasons"), flags=re.MULTILINE)[1:]:
        head, _, reasons = part.partition("\n")
        found[head.partition("):")[0]] = re.findall(r"^- (.*)$", reasons, re.MULTILINE)
    assert list(found) == [f"**`{each.name}`** ({each:d}, HTTP {each.http_status}" for each in Code]
    for each, listed in zip(Code, found.values(), strict=True):
        expected = [
            f"`{reason.name}`"
            + (f", {reason.http_status}" if reason.http_status != each.http_status else "")
            + f": {reason.meaning}"
            for reason in Reason
            if reason.code is each
        ]
        assert [re.sub(r" \([^)]*\)$", "", without_links(text)) for text in listed] == expected


def test_the_api_page_names_what_a_retry_can_help() -> None:
    sentence = read("docs/api.md").partition("where a retry can help: ")[2].partition("\n\n")[0]
    statuses, names = set(re.findall(r"\b\d{3}\b", sentence)), set(code(sentence))
    for reason in Reason:
        assert reason.retryable == (str(reason.http_status) in statuses or reason.name in names), reason


def without_links(text: str) -> str:
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text)


def test_the_api_page_states_the_limits_that_are_in_force() -> None:
    http, grpc = HttpLimits(), GrpcLimits()
    assert grpc.message_bytes == MAX_BODY
    in_force = {
        "body of a request, message of a call": f"{MAX_BODY >> 20} MiB",
        "headers of a request": (
            f"{http.head_bytes >> 10} KiB over REST, {grpc.metadata_bytes >> 10} KiB over gRPC"
        ),
        "time for the headers, from the first byte": f"{http.head_seconds:g} s",
        "time for the body, from the end of the headers": f"{http.body_seconds:g} s",
        "an idle REST connection": f"{http.idle_seconds} s",
        "an idle gRPC connection": f"{grpc.idle_seconds / 60:g} minutes",
        "depth of JSON": f"{MAX_DEPTH} levels",
    }
    stated = dict(re.findall(r"^- ([^:\n]*): (.*)$", section("docs/api.md", "## Limits"), re.MULTILINE))
    assert stated | in_force == stated
    assert http.body_seconds == grpc.message_seconds


def test_the_operations_page_names_every_line_that_a_service_logs() -> None:
    services = [tree for path, tree in sources().items() if "services" in path.parts]
    logged = {
        argument.value
        for tree in services
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".report", "_log", "reporter.log"))
        for given in node.args
        for argument in ast.walk(given)
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
    assert logged
    section = read("docs/operations.md").partition("\n## Logs\n")[2].partition("\n## ")[0]
    assert logged <= set(code(section)), logged - set(code(section))


def test_messages_that_the_operations_page_explains_are_those_of_the_source() -> None:
    texts = "".join(
        str(node.value) if isinstance(node, ast.Constant) else "…"
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.FormattedValue)
    )
    for message, _ in listing("docs/operations.md", "## When the server does not start"):
        for text in code(message):
            assert all(part.strip() in texts for part in text.split("…")), text


def test_the_operations_page_names_every_command() -> None:
    text = read("docs/operations.md") + read("CHANGELOG.md")
    for name in app.commands:
        assert f"`tracker {name}" in text


@pytest.mark.parametrize(("heading", "enum"), [("## Types", event_pb.Type), ("## Statuses", event_pb.Status)])
def test_the_events_page_lists_every_type_and_status(
    heading: str, enum: type[event_pb.Type | event_pb.Status]
) -> None:
    listed = re.findall(r"^- (`\w+` \(\d+\)): ", section("docs/events.md", heading), re.MULTILINE)
    expected = [f"`{value.name}` ({value.number})" for value in enum.desc().values if value.number]
    assert sorted(listed) == sorted(expected)


def test_the_events_page_lists_every_environment_and_change_type() -> None:
    named = set(code(read("docs/events.md")))
    values = (*event_pb.Environment.desc().values, *event_pb.ChangeType.desc().values)
    assert {value.name for value in values if value.number} <= named


def test_the_pages_name_every_field_of_an_event_and_of_a_catalog_entry() -> None:
    for page, messages in (
        ("docs/events.md", (event_pb.EventAttributes, event_pb.EventLinks, event_pb.ChangelogEntry)),
        ("docs/catalog.md", (catalog_pb.Catalog,)),
    ):
        text = read(page)
        for message in messages:
            for field in message.desc().fields:
                assert re.search(rf"\b{field.json_name}\b", text), f"{page}: {field.json_name}"


def test_the_page_on_architecture_names_every_part_of_the_package() -> None:
    page, package = section("docs/architecture.md", "## The picture"), ROOT / "src" / "tracker"
    modules = {each.name for each in package.glob("[!_]*.py")}
    packages = {f"{each.parent.name}/" for each in package.glob("*/__init__.py")}
    assert modules | packages == set(re.findall(r"^- `([\w.]+/?)`", page, re.MULTILINE))


def test_relative_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://)([^)]+)\)", read(page)):
            path, _, anchor = target.partition("#")
            file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
            assert file.exists(), f"{page}: {target}"
            if anchor:
                assert anchor in anchors(file.read_text("utf-8")), f"{page}: {target}"


def anchors(text: str) -> set[str]:
    """Return the anchors that headings have."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_of_agents_lists_every_tool_with_its_permission() -> None:
    expected = [(f"`{tool.name}`", f"`{tool.permission}`") for tool in (*READS, *WRITES)]
    rows = table("docs/mcp.md", "tool", "what it answers", "permission")
    assert [(name, permission) for name, _, permission in rows] == expected
