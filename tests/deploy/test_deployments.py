"""The container image, the compose file and the Kubernetes manifests agree with the server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracker import __version__
from tracker.config.settings import SETTINGS, Settings

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = Settings()
PORTS = {"grpc": DEFAULTS.grpc_port, "http": DEFAULTS.http_port, "metrics": DEFAULTS.metrics_port}


def parsed(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def manifest(path: str, kind: str) -> Any:
    """Return what a manifest specifies of a kind; it is made of the chart, by `make chart`."""
    documents = yaml.safe_load_all((ROOT / "deploy" / path).read_text())
    (spec,) = (each["spec"] for each in documents if each["kind"] == kind)
    return spec


@pytest.fixture
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


@pytest.fixture
def stateful_set() -> dict[str, Any]:
    spec = manifest("kubernetes.yaml", "StatefulSet")
    assert isinstance(spec, dict)
    return spec


@pytest.fixture
def pod(stateful_set: dict[str, Any]) -> dict[str, Any]:
    spec = stateful_set["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


@pytest.fixture
def deployment() -> dict[str, Any]:
    spec = manifest("kubernetes-mongodb.yaml", "Deployment")
    assert isinstance(spec, dict)
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    assert isinstance(container, dict)
    return container


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def test_the_ports_are_those_of_the_settings(dockerfile: str, container: dict[str, Any]) -> None:
    exposed = re.findall(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE)
    assert exposed == [" ".join(str(port) for port in PORTS.values())]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == PORTS
    service = manifest("kubernetes.yaml", "Service")
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == PORTS
    published = parsed("compose.yaml")["services"]["tracker"]["ports"]
    assert [int(port.rpartition(":")[2]) for port in published] == list(PORTS.values())


def test_all_environment_variables_are_settings(dockerfile: str, container: dict[str, Any]) -> None:
    known = {setting.variable for setting in SETTINGS.values()}
    assert set(environment(container)) <= known
    final_stage = dockerfile.rpartition("\nFROM ")[2]
    assert set(re.findall(r"^\s*(?:ENV )?([A-Z_]+)=", final_stage, re.MULTILINE)) - known == {
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
    }


def test_whoever_stops_a_server_waits_longer_than_it_takes(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    drain = float(environment(container).get("SHUTDOWN_DRAIN", DEFAULTS.shutdown_drain))
    assert pod["terminationGracePeriodSeconds"] > drain + DEFAULTS.shutdown_grace
    wait = parsed("compose.yaml")["services"]["tracker"]["stop_grace_period"]
    assert float(wait.removesuffix("s")) > DEFAULTS.shutdown_drain + DEFAULTS.shutdown_grace


def test_the_store_lies_on_the_volume(
    dockerfile: str, stateful_set: dict[str, Any], container: dict[str, Any]
) -> None:
    (volume,) = re.findall(r"^VOLUME (.*)$", dockerfile, re.MULTILINE)
    path = f"{volume}/tracker.db"
    assert f"DATABASE_PATH={path}" in dockerfile
    assert environment(container)["DATABASE_PATH"] == path
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [volume]
    assert stateful_set["volumeClaimTemplates"][0]["metadata"]["name"] == container["volumeMounts"][0]["name"]
    assert parsed("compose.yaml")["services"]["tracker"]["volumes"] == [f"data:{volume}"]


def test_there_is_one_server_for_one_store(stateful_set: dict[str, Any]) -> None:
    assert stateful_set["replicas"] == 1
    selector = stateful_set["selector"]["matchLabels"]
    assert selector.items() <= stateful_set["template"]["metadata"]["labels"].items()
    assert selector == manifest("kubernetes.yaml", "Service")["selector"]


def test_a_server_runs_without_rights_it_does_not_need(
    dockerfile: str, pod: dict[str, Any], container: dict[str, Any]
) -> None:
    (user,) = re.findall(r"^USER (\d+):\1$", dockerfile, re.MULTILINE)
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == int(user)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    service = parsed("compose.yaml")["services"]["tracker"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_servers_on_mongodb_are_like_the_one_with_a_disk_of_its_own(
    stateful_set: dict[str, Any], deployment: dict[str, Any]
) -> None:
    assert deployment["replicas"] == 3
    assert deployment["selector"] == stateful_set["selector"]
    assert deployment["template"]["metadata"] == stateful_set["template"]["metadata"]
    own, other = dict(deployment["template"]["spec"]), dict(stateful_set["template"]["spec"])
    (its,), (others) = own.pop("containers"), other.pop("containers")[0]
    del own["topologySpreadConstraints"]
    assert own == other
    readiness = its.pop("readinessProbe")
    assert readiness.items() >= {**others.pop("readinessProbe"), "timeoutSeconds": 5}.items()
    values = {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in its.pop("env")}
    assert values.pop("MONGO_URI") == {"secretKeyRef": {"name": "tracker-mongodb", "key": "uri"}}
    assert values == {
        name: value
        for name, value in environment({"env": others.pop("env")}).items()
        if name != "DATABASE_PATH"
    }
    del others["volumeMounts"]
    assert its == others


def test_a_rollout_on_mongodb_is_without_a_gap(deployment: dict[str, Any]) -> None:
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    disruption = manifest("kubernetes-mongodb.yaml", "PodDisruptionBudget")
    assert disruption == {"maxUnavailable": 1, "selector": deployment["selector"]}


def test_compose_runs_three_servers_on_mongodb_behind_a_balancer() -> None:
    compose = parsed("compose.mongodb.yaml")
    tracker, alone = compose["services"]["tracker"], parsed("compose.yaml")["services"]["tracker"]
    assert tracker["deploy"]["replicas"] == 3
    variables = tracker["environment"]
    assert set(variables) <= {setting.variable for setting in SETTINGS.values()}
    wait = float(tracker["stop_grace_period"].removesuffix("s"))
    assert wait > float(variables["SHUTDOWN_DRAIN"]) + DEFAULTS.shutdown_grace
    same = ("build", "image", "restart", "read_only", "cap_drop", "security_opt")
    assert {name: tracker[name] for name in same} == {name: alone[name] for name in same}
    name = re.fullmatch(r"mongodb://mongo:27017/tracker\?replicaSet=(\w+)", variables["MONGO_URI"])
    assert name is not None
    assert name[1] in compose["services"]["mongo"]["command"]
    published = compose["services"]["balancer"]["ports"]
    assert [int(port.rpartition(":")[2]) for port in published] == [PORTS["grpc"], PORTS["http"]]
    balancer = compose["configs"]["balancer"]["content"]
    for port in (PORTS["grpc"], PORTS["http"]):
        assert f"bind :{port}" in balancer
        assert f"server-template tracker 3 tracker:{port}" in balancer


def test_the_image_brings_all_extras_and_what_a_server_from_the_tree_has() -> None:
    image, runtime = (
        set(re.findall(r"^[^ #]\S+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("image.txt", "runtime.txt")
    )
    assert runtime <= image
    names = {each.partition("==")[0] for each in image}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    del extras["grpc"]  # for clients
    assert {re.split("[<>=]", each)[0] for extra in extras.values() for each in extra} <= names


def test_the_image_is_of_this_version(container: dict[str, Any]) -> None:
    assert container["image"] == f"tracker:{__version__}"


def test_a_release_publishes_the_image_that_its_chart_runs(tmp_path: Path) -> None:
    jobs = parsed(".github/workflows/release.yml")["jobs"]
    (named,) = (each["run"] for each in jobs["image"]["steps"] if each.get("id") == "name")
    (packed,) = (each["run"] for each in jobs["chart"]["steps"] if "run" in each)
    shutil.copytree(ROOT / "deploy" / "helm", tmp_path / "deploy" / "helm")
    script = "\n".join((named, *(line for line in packed.splitlines() if line.startswith("sed "))))
    told = {
        "GITHUB_REPOSITORY": "Acme/Tracker",
        "GITHUB_REF_NAME": f"v{__version__}",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, env={**os.environ, **told}, check=True)
    chart = yaml.safe_load((tmp_path / "deploy/helm/tracker/Chart.yaml").read_text())
    values = yaml.safe_load((tmp_path / "deploy/helm/tracker/values.yaml").read_text())
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert outputs == {"image": values["image"]["repository"], "version": chart["appVersion"]}
    assert outputs["image"] == "ghcr.io/acme/tracker"
    assert chart["version"] == __version__


def test_base_images_are_pinned_to_a_version(dockerfile: str) -> None:
    images = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(images) == 2
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", images[0])


def test_the_image_is_built_from_files_that_its_context_holds(dockerfile: str) -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == {path.split("/")[0] for path in kept}
    assert all((ROOT / path).exists() for path in kept)


@pytest.mark.parametrize("name", ["runtime", "build", "dev", "clients"])
def test_locked_requirements_are_pinned_by_hash_and_name_no_registry(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = text.splitlines()
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+$", line), line
    assert "://" not in text
