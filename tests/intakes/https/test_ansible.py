"""The modules of `community.general`, which Debian's package `ansible` has."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.intakes.programs import run

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    from tests.certificates import Authority

pytestmark = pytest.mark.anyio


@pytest.mark.skipif(
    shutil.which("ansible-playbook") is None, reason="ANSIBLE IS MISSING: its modules are not tried"
)
async def test_its_modules_for_datadog_and_pagerduty_record_events(
    url: str, http: httpx2.AsyncClient, key: str, authority: Authority, tmp_path: Path
) -> None:
    datadog = {
        "api_host": url,
        "api_key": key,
        "app_key": "none",
        "title": "Deployed",
        "text": "cart 1.2",
        "alert_type": "success",
        "tags": ["service:cart", "env:prod"],
    }
    pagerduty = {
        "integration_key": key,
        "url": f"{url}/v2/change/enqueue",
        "summary": "Released",
        "source": "ci",
        "user": "ana",
        "revision": "4.2",
        "environment": "production",
        "validate_certs": False,
    }
    tasks = [
        {"community.general.datadog_event": datadog},
        {"community.general.pagerduty_change": pagerduty},
        {"community.general.pagerduty_change": pagerduty, "check_mode": True},
    ]
    play = tmp_path / "play.yml"
    python = {"ansible_python_interpreter": f"{sys.prefix}/clients/bin/python"}  # which has `datadog`
    hosts = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": python}
    play.write_text(json.dumps([{**hosts, "tasks": tasks}]))
    printed = await run(
        *("ansible-playbook", "--inventory", "localhost,", str(play)),
        HOME=str(tmp_path),
        REQUESTS_CA_BUNDLE=str(authority.file),
    )
    assert "ok=3" in printed
    answer = await http.get("/api/v1alpha1/events/list", headers={"x-api-key": key})
    found: dict[str, Any] = {each["title"]: each["attributes"] for each in answer.json()["events"]}
    assert set(found) == {"Deployed", "Released"}
    wanted = {"service": "cart", "environment": "production", "status": "success", "message": "cart 1.2"}
    assert wanted.items() <= found["Deployed"].items()
    wanted = {"owner": "ana", "version": "4.2", "environment": "production", "source": "ci"}
    assert wanted.items() <= found["Released"].items()
