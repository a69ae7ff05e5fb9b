"""`tracker intake`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cli.commands import at, tracker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess


def pod(uid: str, reason: str = "BackOff") -> dict[str, Any]:
    return {
        "metadata": {"uid": uid},
        "involvedObject": {"kind": "Pod", "name": "cart-7d9f8b6c5d-x2x7z", "namespace": "prod"},
        "reason": reason,
        "type": "Warning",
        "message": "{",
    }


def test_what_kubectl_prints_is_sent_and_what_records_nothing_is_shown(server: ServerProcess) -> None:
    printed = "\n".join(
        (
            json.dumps({"kind": "List", "items": [pod(f"a{each}") for each in range(130)]}, indent=4),
            json.dumps({"type": "ADDED", "object": pod("b1")}, indent=4),
            json.dumps(pod("b2")),
            json.dumps({"type": "DELETED", "object": pod("b2")}),
        )
    )
    sent = tracker("intake", "send", "kubernetes", environ=at(server), text=printed)
    assert (sent.returncode, sent.stderr) == (0, "tracker: 132 events recorded\n")
    senders = tracker("intake", "senders", environ=at(server)).stdout
    assert "kubernetes" in senders
    listed = json.loads(tracker("intake", "list", "--output", "json", environ=at(server)).stdout)["messages"]
    assert [each["reason"] for each in listed] == ["no events"]
    shown = tracker("intake", "show", listed[0]["id"], environ=at(server)).stdout
    assert '"type": "DELETED"' in shown
    replayed = tracker("intake", "replay", listed[0]["id"], environ=at(server))
    assert (replayed.returncode, "ignored: no events" in replayed.stdout) == (1, True)
    wrong = tracker("intake", "send", "kubernetes", environ=at(server), text='{"items": 1}')
    assert (wrong.returncode != 0, "expected a list of events" in wrong.stderr) == (True, True)


def test_a_message_is_tried_by_the_rules_of_a_file_without_a_server(tmp_path: Path) -> None:
    rules, message = tmp_path / "mapping.toml", tmp_path / "payload.json"
    rules.write_text('[github]\nservice = "repository.topic"\n', "utf-8")
    content = {
        "action": "published",
        "release": {"id": 3, "tag_name": "v1.2"},
        "repository": {"full_name": "shop/cart", "topic": "basket"},
    }
    message.write_text(json.dumps(content), "utf-8")
    asked = ("intake", "test", str(message), "--sender", "github", "--mapping", str(rules))
    tried = tracker(*asked, "-H", "X-GitHub-Event: release", "--output", "json")
    answer = json.loads(tried.stdout)
    assert (tried.returncode, answer["outcome"]) == (0, "recorded")
    assert answer["events"][0]["attributes"]["service"] == "basket"
    assert tracker(*asked).stdout == "ignored: no X-GitHub-Event\n"
    message.write_text('{"action": ', "utf-8")
    wrong = tracker(*asked, "-H", "X-GitHub-Event: release")
    assert (wrong.returncode, "line 1 column 12" in wrong.stderr) == (1, True), wrong.stderr
    rules.write_text('[github]\nservice = "a..b"\n', "utf-8")
    wrong = tracker(*asked)
    assert "mapping.toml: [github] service: column 3: " in wrong.stderr
