"""The pipelines in `action/`, `templates/` and `deploy/`, run as their hosts do, with a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.cli.commands import at, tracker
from tests.forks import forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.server_process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "5f4dcc3b5aa765d61d8327deb882cf99f2f8a0b1"
JOB_OF_GITHUB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_SHA": COMMIT,
    "GITHUB_ACTOR": "ada",
}
JOB_OF_GITLAB = {
    "CI_PROJECT_ID": "7",
    "CI_PROJECT_PATH": "acme/shop",
    "CI_JOB_ID": "99",
    "CI_JOB_URL": "https://gitlab.example/acme/shop/-/jobs/99",
    "CI_COMMIT_SHA": COMMIT,
    "GITLAB_USER_LOGIN": "ada",
}
BUILD_OF_JENKINS = {
    "BUILD_TAG": "jenkins-shop-7",
    "BUILD_URL": "https://jenkins.example/job/shop/7/",
    "GIT_COMMIT": COMMIT,
}


@pytest.fixture
def environ(server: ServerProcess, tmp_path: Path) -> dict[str, str]:
    """Give the variables with which scripts find the command and the server, and nothing else."""
    return {**forks().command(tmp_path), **at(server), "HOME": str(tmp_path)}


def shell(script: str, environ: Mapping[str, str], program: str = "bash") -> subprocess.CompletedProcess[str]:
    """Run a script as hosts do: it ends where a command fails."""
    options = ["--noprofile", "--norc", "-eo", "pipefail"] if program == "bash" else ["-e"]
    command = [program, *options, "-c", script]
    return subprocess.run(
        command,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        pass_fds=[forks().number],
    )


def events(server: ServerProcess, service: str) -> list[Any]:
    listed = tracker("event", "list", f"service:{service}", "--output", "json", environ=at(server))
    return [each["attributes"] for each in json.loads(listed.stdout).get("events", ())]


def held(server: ServerProcess, service: str) -> list[Any]:
    listed = tracker("lock", "list", "--service", service, "--output", "json", environ=at(server))
    found: list[Any] = json.loads(listed.stdout).get("locks", [])
    return found


class GithubJob:
    """Runs steps of the action as GitHub does: expressions are filled in, files have what a step sets."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._action = yaml.safe_load((ROOT / "action" / "action.yml").read_text())
        self._environ = {**environ, **JOB_OF_GITHUB, "RUNNER_TEMP": str(folder)}
        self._files = {name: folder / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT")}

    def step(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        known = self._action["inputs"]
        assert inputs.keys() <= known.keys()
        given = {name: inputs.get(name, str(known[name].get("default", ""))) for name in known}
        for step in self._action["runs"]["steps"]:
            values = {name: self._filled(text, given) for name, text in step["env"].items()}
            assert "${{" not in step["run"]  # which would run what an input says
            files = {name: str(file) for name, file in self._files.items()}
            done = shell(step["run"], self._environ | files | values)
            if done.returncode:
                return done
        if self._files["GITHUB_ENV"].exists():
            lines = self._files["GITHUB_ENV"].read_text().splitlines()
            self._environ |= dict(line.split("=", 1) for line in lines)
        return done

    def outputs(self) -> dict[str, str]:
        lines = self._files["GITHUB_OUTPUT"].read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @staticmethod
    def _filled(text: str, inputs: Mapping[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            names = (part.strip().removeprefix("inputs.") for part in found[1].split("||"))
            return next((inputs[name] for name in names if inputs[name]), "")

        return re.sub(r"\$\{\{(.*?)\}\}", value, text)


def test_the_action_for_github_records_a_deployment_and_takes_locks(
    server: ServerProcess, environ: dict[str, str], tmp_path: Path
) -> None:
    job = GithubJob(tmp_path, environ)
    inputs = {"server": environ["TRACKER_SERVER"], "service": "github-shop", "version": "1.4.2"}
    assert job.step(step="gate", **inputs).returncode == 0
    started = job.step(step="start", **inputs)
    assert started.returncode == 0, started.stderr
    assert job.step(step="gate", **inputs).returncode == 75
    (event,) = events(server, "github-shop")
    assert (event["status"], event["source"], event["version"]) == ("start", "github_action", "1.4.2")
    assert event["labels"] == {"sha": COMMIT, "repository": "acme/shop"}
    assert [each["eventId"] for each in held(server, "github-shop")] == [job.outputs()["event-id"]]
    (tmp_path / "other").mkdir()
    other = GithubJob(tmp_path / "other", {**environ})
    other._environ["GITHUB_RUN_ID"] = "43"  # noqa: SLF001 - another run, while this one holds the lock
    assert other.step(step="start", **inputs).returncode == 75
    for step in ("finish", "release"):
        ended = other.step(step=step, **inputs)
        assert (ended.returncode, ended.stdout[:8]) == (0, "::notice"), ended.stderr
    second = inputs | {"service": "team/github cart"}
    assert job.step(step="start", **second).returncode == 0
    assert job.step(step="lock", **inputs).returncode == 0
    assert len(held(server, "github-shop")) == 2
    assert job.step(step="release", **inputs).returncode == 0
    finished = job.step(step="finish", status="cancelled", **inputs)
    assert finished.returncode == 0, finished.stderr
    assert ([each["status"] for each in events(server, "github-shop")], held(server, "github-shop")) == (
        ["error"],
        [],
    )
    assert job.step(step="finish", status="success", **second).returncode == 0
    assert [each["status"] for each in events(server, '"team/github cart"')] == ["success"]
    assert job.step(step="deploy", **inputs).returncode == 64


def gitlab_job(inputs: Mapping[str, str]) -> Any:
    """Return the job that the component makes of inputs."""
    text = (ROOT / "templates" / "deployment.yml").read_text()
    spec = yaml.safe_load(text.split("\n---\n")[0])["spec"]["inputs"]
    assert {name for name, each in spec.items() if "default" not in each} <= inputs.keys() <= spec.keys()
    given = {name: inputs.get(name, each.get("default", "")) for name, each in spec.items()}
    filled = re.sub(
        r"\$\[\[ inputs\.(\w+) \]\]", lambda found: str(given[found[1]]), text.split("\n---\n")[1]
    )
    (job,) = yaml.safe_load(filled).values()
    return job


@pytest.mark.parametrize(
    ("command", "status"), [("echo 'done' $TRACKER_EVENT_ID", "success"), ("exit 3", "failure")]
)
def test_the_component_for_gitlab_runs_a_deployment(
    server: ServerProcess, environ: dict[str, str], command: str, status: str
) -> None:
    job = gitlab_job(
        {
            "service": "gitlab-shop",
            "server": environ["TRACKER_SERVER"],
            "command": f'"{command}"',
            "gate": "true",
        }
    )
    assert job["id_tokens"]["TRACKER_TOKEN"]["aud"] == environ["TRACKER_SERVER"]
    variables = {**environ, **JOB_OF_GITLAB, "CI_JOB_ID": status}
    for name, value in job["variables"].items():
        variables[name] = re.sub(r"\$(\w+)", lambda found: JOB_OF_GITLAB.get(found[1], found[0]), value)
    done = shell("\n".join(job["script"]), variables)
    assert (done.returncode == 0) is (status == "success"), done.stderr
    event = events(server, "gitlab-shop")[0]
    assert (event["status"], event["source"], event["version"]) == (status, "gitlab", COMMIT)
    assert event["externalId"] == f"7:{status}"
    assert held(server, "gitlab-shop") == []


def test_the_library_for_jenkins_records_a_deployment(server: ServerProcess, environ: dict[str, str]) -> None:
    text = (ROOT / "deploy" / "pipelines" / "jenkins" / "vars" / "trackerDeployment.groovy").read_text()
    start, finish = re.findall(r"script: '''(.*?)'''", text, re.DOTALL)
    scripts = [each.replace("\\\\", "\\") for each in (start, finish)]  # as Groovy reads them
    variables = {
        **environ,
        **BUILD_OF_JENKINS,
        "SERVICE": "jenkins-shop",
        "ENVIRONMENT": "uat",
        "VERSION": "1.4.2",
    }
    started = shell(scripts[0], variables, "sh")
    assert started.returncode == 0, started.stderr
    assert held(server, "jenkins-shop")
    variables |= {"TRACKER_EVENT_ID": started.stdout.strip(), "STATUS": "failure"}
    assert shell(scripts[1], variables, "sh").returncode == 0
    (event,) = events(server, "jenkins-shop")
    assert (event["status"], event["externalId"]) == ("failure", "jenkins-shop-7:jenkins-shop:uat")


def run(arguments: list[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        arguments,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        pass_fds=[forks().number],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


_PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: {tasks}
      vars: {{tracker_service: ansible-shop, tracker_version: 1.4.2, tracker_deploy: {deploy}}}
"""
_DEPLOY = """
- ansible.builtin.command: touch {folder}/{{{{ inventory_hostname }}}}
- ansible.builtin.fail: {{msg: broken}}
  when: inventory_hostname == broken | default('')
"""


@pytest.mark.skipif(
    shutil.which("ansible-playbook") is None, reason="ANSIBLE IS MISSING: its tasks are not tried"
)
def test_the_tasks_for_ansible_record_one_deployment_of_all_hosts(
    server: ServerProcess, tmp_path: Path
) -> None:
    play, deploy = tmp_path / "play.yml", tmp_path / "deploy.yml"
    tasks = ROOT / "deploy" / "pipelines" / "ansible" / "deployment.yml"
    play.write_text(_PLAY.format(tasks=tasks, deploy=deploy))
    deploy.write_text(_DEPLOY.format(folder=tmp_path))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**at(server), "PATH": path, "HOME": str(tmp_path), "ANSIBLE_LOCALHOST_WARNING": "false"}
    command = ["ansible-playbook", "--inventory", "one,two,", "--connection", "local", str(play)]
    for broken, code in ((), 0), (("--extra-vars", "broken=two"), 2):
        done = subprocess.run([*command, *broken], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout
        for host in ("one", "two"):
            (tmp_path / host).unlink()
    assert [each["status"] for each in events(server, "ansible-shop")] == ["failure", "success"]


def test_the_hooks_for_argo_cd_record_each_sync(server: ServerProcess, environ: dict[str, str]) -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "argocd" / "hooks.yaml").read_text())["items"]
    hooks = {job["metadata"]["annotations"]["argocd.argoproj.io/hook"]: job for job in jobs}
    shared = environ | {"SERVICE": "argo-shop", "ENVIRONMENT": "production", "VERSION": COMMIT}

    def hook(name: str, sync: int) -> list[str]:
        """Run a hook as Kubernetes does; return the statuses of all events, the newest first."""
        (container,) = hooks[name]["spec"]["template"]["spec"]["containers"]
        own = {each["name"]: each.get("value", f"tracker-{name}-{sync}") for each in container["env"]}
        variables = shared | own
        texts = (
            re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], each) for each in container["args"]
        )
        run([*container["command"], *texts], variables)
        return [each["status"] for each in events(server, "argo-shop")]

    assert hook("PreSync", 1) == ["start"]
    assert hook("PreSync", 1) == ["start"]  # its pod was evicted, and runs again
    assert hook("PostSync", 1) == ["success"]
    assert hook("PreSync", 2) == ["start", "success"]  # of the same version
    assert hook("SyncFail", 2) == ["failure", "success"]
    assert hook("SyncFail", 3) == ["failure", "success"]  # its first hook was refused
    assert held(server, "argo-shop") == []
