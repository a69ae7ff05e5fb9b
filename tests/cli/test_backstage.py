"""`tracker catalog import` and `export`: the catalog of Backstage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.commands import at, tracker

from tracker.cli.catalog.backstage import entities
from tracker.cli.catalog.reading import Mistakes, read_backstage
from tracker.pb import catalog_pb

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess

SHOP = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: bs-shop
  title: Shop
  description: Sells things.
  annotations:
    github.com/project-slug: acme/shop
    pagerduty.com/service-id: P1
    argocd/app-name: shop-production
  tags: [python]
  links:
    - {url: https://grafana.example/d/1, title: Board, icon: dashboard}
    - {url: https://acme.slack.com/archives/C1, title: "#shop", icon: chat, type: slack}
    - {url: https://docs.example/shop, title: Documentation}
spec:
  type: service
  lifecycle: experimental
  owner: group:default/team-shop
  system: sales
  dependsOn: [component:default/bs-bank, "resource:shop-db", component:bs-mail]
  dependencyOf: [Component:bs-web]
  consumesApis: [bs-rates]
  providesApis: [shop-api]
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: shop-api}
spec: {type: openapi, lifecycle: production, owner: team-shop, definition: x}
---
apiVersion: backstage.io/v1beta1
kind: Component
metadata: {name: bs-lib}
spec: {type: library, lifecycle: production, owner: user:ada}
"""


def entry(server: ServerProcess, name: str) -> Any:
    shown = tracker("catalog", "get", name, "--output", "json", environ=at(server))
    return json.loads(shown.stdout)["catalog"]


def test_components_of_backstage_become_entries_and_go_back(server: ServerProcess, tmp_path: Path) -> None:
    folder = tmp_path / "repositories" / "shop"
    folder.mkdir(parents=True)
    (folder / "catalog-info.yaml").write_text(SHOP)
    (folder / "values.yaml").write_text("{{ not: yaml }}")
    before = "{name: bs-shop, type: project, owner: ada, version: 1.10, sla: {level: high}}"
    applied = tracker("catalog", "apply", "-f", "-", environ=at(server), text=before)
    assert applied.returncode == 0, applied.stderr
    done = tracker("catalog", "import", str(tmp_path), environ=at(server))
    assert done.returncode == 0, done.stderr
    shop = entry(server, "bs-shop")
    assert (shop["type"], shop["owner"], shop["description"]) == ("project", "team-shop", "Sells things.")
    assert (shop["version"], shop["sla"]["level"]) == ("1.10", "high")  # which Backstage knows nothing of
    assert shop["dependenciesOut"] == ["bs-bank", "bs-mail", "bs-rates"]
    assert shop["dependenciesIn"] == ["bs-web"]
    assert (shop["repository"], shop["link"]) == ("https://github.com/acme/shop", "https://docs.example/shop")
    assert [each["type"] for each in shop["dashboardLinks"]] == ["grafana"]
    assert [each["type"] for each in shop["communicationChannels"]] == ["slack"]
    assert shop["annotations"]["argocd/app-name"] == "shop-production"
    assert entry(server, "bs-lib")["type"] == "library"
    again = tracker("catalog", "import", str(folder / "catalog-info.yaml"), environ=at(server))
    assert "changed" not in again.stdout.replace("unchanged", "")
    exported = tracker("catalog", "export", "--format", "backstage", environ=at(server))
    assert exported.returncode == 0, exported.stderr
    found = {each["metadata"]["name"]: each for each in yaml.safe_load_all(exported.stdout)}
    given = next(yaml.safe_load_all(SHOP))
    assert found["bs-shop"]["metadata"]["annotations"] == given["metadata"]["annotations"]
    assert found["bs-shop"]["spec"]["lifecycle"] == "experimental"
    assert found["bs-shop"]["spec"]["system"] == "sales"
    (tmp_path / "exported.yaml").write_text(exported.stdout)
    back = tracker("catalog", "import", str(tmp_path / "exported.yaml"), environ=at(server))
    assert "changed" not in back.stdout.replace("unchanged", ""), back.stdout


@pytest.mark.parametrize(
    ("text", "problem"),
    [("name: shop", "expected an entity of Backstage"), ("apiVersion: [", "line 2")],
)
def test_what_is_no_entity_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "catalog-info.yaml").write_text(text)
    with pytest.raises(Mistakes, match=problem):
        read_backstage([tmp_path])


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_every_name_becomes_one_that_backstage_allows_and_no_other_has(names: list[str]) -> None:
    made = [*entities(catalog_pb.Catalog(name=name, owner=name, dependencies_out=names) for name in names)]
    shown: list[Any] = [each["metadata"] for each in made]
    assert len({each["name"] for each in shown}) == len(names)
    for each in shown:
        assert len(each["name"]) <= 63
        parts = each["name"].replace("_", "-").replace(".", "-").split("-")
        assert all(part.isascii() and part.isalnum() for part in parts)
