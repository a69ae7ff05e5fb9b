"""`tracker webhook`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.cli.commands import at, tracker
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.server_process import ServerProcess

NOBODY = "http://127.0.0.1:9/hooks"


def delivery_of(server: ServerProcess, name: str) -> Any:
    """Return the only message of a webhook, once it was sent."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        listed = tracker("webhook", "deliveries", name, "--output", "json", environ=at(server))
        (found,) = json.loads(listed.stdout)["deliveries"]
        if found["attempts"]:
            return found
    raise AssertionError


def test_a_webhook_is_created_changed_tested_and_deleted(server: ServerProcess) -> None:
    def webhook(*arguments: str) -> str:
        done = tracker("webhook", *arguments, environ=at(server))
        assert done.returncode == 0, done.stderr
        return done.stdout

    secret = webhook("create", NOBODY, "--name", "pager", "--query", "status:failure", "--change", "created")
    assert secret.startswith("whsec_")
    assert all(text in webhook("list") for text in ("pager", NOBODY, "status:failure", "created", "enabled"))
    webhook("update", "pager", "--format", "cloudevents", "--query", "type:incident")
    shown = webhook("show", "pager")
    assert all(text in shown for text in ("cloudevents", "type:incident", "created", "hmac"))
    assert webhook("rotate", "pager", "--overlap", "1h") not in ("", secret)
    webhook("test", "pager")
    sent = delivery_of(server, "pager")
    assert (sent["state"], sent["type"]) == ("waiting", "webhook.test")
    assert sent["lastError"] in webhook("deliveries", "pager", "--state", "waiting")
    assert webhook("replay", "pager", sent["id"]) == "1 message is sent again\n"
    webhook("update", "pager", "--disable")
    assert "disabled" in webhook("show", "pager")
    assert tracker("webhook", "delete", "pager", environ=at(server)).returncode == 64
    webhook("delete", "pager", "--yes")
    refused = tracker("webhook", "show", "pager", environ=at(server))
    assert (refused.returncode, "no webhook pager" in refused.stderr) == (1, True)


def test_a_public_key_is_printed_in_place_of_a_secret(server: ServerProcess) -> None:
    created = tracker("webhook", "create", NOBODY, "--name", "signed", "--ed25519", environ=at(server))
    assert created.stdout.startswith("whpk_")
    assert created.stdout.strip() in tracker("webhook", "show", "signed", environ=at(server)).stdout
