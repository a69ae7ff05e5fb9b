from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.servers import SOON
from tests.clients import RestClient

from tracker.stores import terraform

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    from tests.clients import JsonObject

pytestmark = pytest.mark.anyio

STATE = "/terraform/network/prod"
SQLITE = pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)

CONFIGURATION = """
terraform {
  backend "http" {}
}
variable "told" {}
resource "terraform_data" "x" {
  input = var.told
}
"""


def locking(lock_id: str, who: str = "ana@host") -> JsonObject:
    """Return what Terraform sends to lock a state."""
    return {
        "ID": lock_id,
        "Operation": "OperationTypeApply",
        "Info": "",
        "Who": who,
        "Version": "1.11.4",
        "Created": "2026-01-31T12:00:00.123456789Z",
        "Path": "",
    }


def a_state(serial: int, **more: Any) -> JsonObject:
    return {"version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l", **more}


async def events(http: httpx2.AsyncClient) -> list[Any]:
    found: list[Any] = (await http.get("/api/v1alpha1/events/list")).json()["events"]
    return found


async def versions(http: httpx2.AsyncClient, environment: str = "production") -> list[Any]:
    params = {"service": "network", "environment": environment}
    answer = await http.get("/api/v1alpha1/terraform/versions", params=params)
    found: list[Any] = answer.json()["versions"]
    return found


@pytest.mark.parametrize("program", ["terraform", "tofu"])
async def test_terraform_itself_stores_and_locks_its_state(
    url: str, http: httpx2.AsyncClient, tmp_path: Path, program: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: ITS BACKEND IS UNTRIED")
    (tmp_path / "main.tf").write_text(CONFIGURATION)
    environ = os.environ | {
        **dict.fromkeys(("TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS"), url + STATE),
        "TF_CLI_CONFIG_FILE": "/dev/null",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
    }

    async def run(*arguments: str, code: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            "-no-color",
            cwd=tmp_path,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            printed, _ = await process.communicate()
        assert process.returncode == code, printed.decode()
        return printed.decode()

    await run("init")
    await run("apply", "-auto-approve", "-var=told=one")
    await run("apply", "-auto-approve", "-var=told=two")
    assert [each["number"] for each in await versions(http)] == ["2", "1"]
    applied = await events(http)
    assert [each["attributes"]["labels"]["serial"] for each in applied] == ["2", "1"]
    assert applied[0]["title"] == "State network/production changed by terraform apply: 1 resources"

    (await http.request("LOCK", STATE, json=locking("somebody-else", "ben@ci"))).raise_for_status()
    told = await run("apply", "-auto-approve", "-var=told=three", code=1)
    assert "held by ben@ci since " in told.replace("\n", " ").replace("│", "").replace("  ", " ")
    await run("force-unlock", "-force", "any-id")
    late = await http.post(STATE, params={"ID": "somebody-else"}, json=a_state(9))
    assert late.status_code == 409

    body = {"service": "network", "environment": "PROD", "number": 1}
    (await http.post("/api/v1alpha1/terraform/restore", json=body)).raise_for_status()
    assert '"one"' in await run("state", "pull")
    await run("apply", "-auto-approve", "-var=told=four")
    locks = (await http.get("/api/v1alpha1/locks/list")).json()["locks"]
    assert locks == []


async def test_a_state_is_written_only_under_the_lock_that_is_held(http: httpx2.AsyncClient) -> None:
    assert (await http.get(STATE)).status_code == 404
    for _ in range(2):  # which Terraform does if the first answer got lost
        assert (await http.request("LOCK", STATE, json=locking("first"))).status_code == 200
    refused = await http.request("LOCK", STATE, json=locking("second", "ben"))
    assert refused.status_code == 423
    assert refused.json()["Who"] == "ana@host"
    assert "first" not in refused.text
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    written = await http.post(STATE, params={"ID": "first"}, json=a_state(1), headers=headers)
    assert written.status_code == 200
    for params, status in (({}, 423), ({"ID": "second"}, 409)):
        assert (await http.post(STATE, params=params, json=a_state(2))).status_code == status
        assert (await http.delete(STATE, params=params)).status_code == status
    assert (await http.request("UNLOCK", STATE, json=locking("second"))).status_code == 409
    for _ in range(2):
        assert (await http.request("UNLOCK", STATE, json=locking("first"))).status_code == 200
    assert (await http.request("UNLOCK", STATE, json=locking("second"))).status_code == 409
    assert (await http.post(STATE, params={"ID": "first"}, json=a_state(2))).status_code == 409
    assert (await http.get(STATE)).json() == a_state(1)
    # `prod` and `production` are one environment, and the lock is one of Tracker's.
    assert (
        await http.request("LOCK", "/terraform/network/production", json=locking("third"))
    ).status_code == 200
    (lock,) = (await http.get("/api/v1alpha1/locks/list?resource=terraform")).json()["locks"]
    assert (lock["service"], lock["environment"], lock["who"]) == ("network", "production", "ana@host")
    assert (await http.request("UNLOCK", STATE)).status_code == 200  # by force
    lost = await http.request("UNLOCK", STATE, json=locking("third"))
    assert (lost.status_code, "released by force" in lost.json()["ID"]) == (409, True)
    assert (await http.get("/api/v1alpha1/locks/list")).json()["locks"] == []
    (event,) = await events(http)
    assert (event["attributes"]["owner"], event["attributes"]["traceId"]) == ("ana@host", "a" * 32)


async def test_versions_are_kept_restored_and_forgotten(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform, "PART_BYTES", 40)
    for serial in (1, 2, 2, 3):
        (
            await http.post("/terraform/network", json=a_state(serial, pad=os.urandom(99).hex()))
        ).raise_for_status()
    contents = [(await http.get("/terraform/network", params={"version": n})).content for n in (1, 2, 3, 4)]
    assert len(set(contents)) == 4
    same = await http.post("/terraform/network", content=contents[3])
    assert same.json() == {"version": 4}
    client, asked = RestClient(http), {"service": "network", "number": "2"}
    answers = [
        await client.call("TerraformService/RestoreStateVersion", asked, key="a-key") for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["version"]["number"] == "5"
    listed = await versions(http, "")
    assert [(each["number"], each["restoredFrom"]) for each in listed][:2] == [("5", "2"), ("4", "0")]
    assert (await http.get("/terraform/network")).content == contents[1]
    states = await client.call("TerraformService/ListStates", {})
    assert [(each["id"], len(each["versions"])) for each in states["states"]] == [("network", 1)]
    assert (await http.delete("/terraform/network")).status_code == 200
    for version in (0, 1, 5):
        assert (await http.get("/terraform/network", params={"version": version})).status_code == 404
    titles = [each["title"] for each in await events(http)]
    assert titles[:2] == ["State network deleted", "State network went back to version 2"]


@SQLITE
async def test_what_is_no_state_is_refused(http: httpx2.AsyncClient) -> None:
    md5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    for content, headers in ((b"", {}), (b"[]", {}), (b"{", {}), (b"{}", {"content-md5": md5})):
        assert (await http.post(STATE, content=content, headers=headers)).status_code == 400
    assert (await http.request("LOCK", STATE, json={"Who": "ana"})).status_code == 400
    assert (await http.get("/terraform/a%2Fb")).status_code == 400
    assert (await http.post(STATE, content=b" " * (33 << 20))).status_code == 413


@SQLITE
async def test_a_key_reads_and_writes_the_states_that_it_is_narrowed_to(http: httpx2.AsyncClient) -> None:
    (await http.post(STATE, json=a_state(1, secret="hidden"))).raise_for_status()
    permissions = ["state:read", "state:write", "lock:read", "lock:write"]

    async def key(*permissions: str, **narrowed: list[str]) -> dict[str, str]:
        asked = {"name": "-".join(permissions), "permissions": [*permissions], **narrowed}
        secret = (await http.post("/api/v1alpha1/auth/api-keys", json=asked)).json()["secret"]
        basic = base64.b64encode(f"terraform:{secret}".encode()).decode()
        return {"authorization": f"Basic {basic}"}

    own = await key(*permissions, services=["network"], environments=["production"])
    other = await key(*permissions, services=["network"], environments=["development"])
    locker = await key("lock:write", "lock:read", "event:read", "event:write")
    assert (await http.get(STATE, headers=own)).status_code == 200
    assert (await http.request("LOCK", STATE, headers=own, json=locking("mine"))).status_code == 200
    assert (await http.post(STATE, headers=own, params={"ID": "mine"}, json=a_state(2))).status_code == 200
    assert (await http.request("UNLOCK", STATE, headers=own)).status_code == 403  # by force
    for headers in (other, locker):
        for verb in ("GET", "POST", "DELETE"):
            answer = await http.request(verb, STATE, headers=headers, content=b"{}")
            assert (answer.status_code, "ana@host" in answer.text) == (403, False), verb
    assert (await http.request("LOCK", STATE, headers=other, json=locking("x"))).status_code == 403
    found = await http.get("/api/v1alpha1/terraform/states", headers=other)
    assert found.json()["states"] == []
    assert (await http.get("/api/v1alpha1/terraform/states", headers=own)).json()["totalCount"] == 1
    audit = ""
    async with asyncio.timeout(SOON):
        while "network/production" not in audit:
            audit = (await http.get("/api/v1alpha1/audit/entries", params={"record": "state"})).text
            await asyncio.sleep(0.01)  # between two polls
    assert "hidden" not in audit + json.dumps(await events(http))
