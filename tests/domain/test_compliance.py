import pytest

from tracker.domain.catalog import version_compliance
from tracker.pb import catalog_pb

Type = catalog_pb.Type


def deliverable(
    name: str, type_: catalog_pb.Type, reference: str = "2", latest: str = "3"
) -> catalog_pb.Catalog:
    return catalog_pb.Catalog(name=name, type=type_, reference_version=reference, latest_version=latest)


def project(name: str, **uses: str) -> catalog_pb.Catalog:
    return catalog_pb.Catalog(
        name=name,
        type=Type.project,
        used_deliverables=[
            catalog_pb.UsedDeliverable(name=used, version_used=version) for used, version in uses.items()
        ],
    )


CATALOG = [
    project("web", chart="1", lib="2", unknown="1"),
    project("api", lib="3"),
    project("idle"),
    deliverable("lib", Type.library),
    deliverable("chart", Type.chart, latest="1"),
]


def test_projects_and_deliverables_are_ordered_by_name() -> None:
    answer = version_compliance(CATALOG)
    assert [p.project_name for p in answer.projects] == ["api", "idle", "web"]
    assert [d.name for d in answer.projects[2].deliverables] == ["chart", "lib"]


def test_a_version_other_than_the_reference_is_outdated() -> None:
    web = version_compliance(CATALOG).projects[2]
    assert [(d.name, d.is_outdated, d.is_latest) for d in web.deliverables] == [
        ("chart", True, True),
        ("lib", False, False),
    ]
    assert (web.outdated_count, web.total_count, web.compliance_percentage) == (1, 2, 50)


def test_a_project_that_uses_nothing_is_fully_compliant() -> None:
    assert version_compliance(CATALOG).projects[1].compliance_percentage == 100


def test_libraries_count_and_without_a_reference_nothing_is_outdated() -> None:
    answer = version_compliance([project("web", lib="1"), deliverable("lib", Type.library, reference="")])
    assert answer.projects[0].total_count == 1
    assert answer.projects[0].outdated_count == 0


def test_types_keep_only_those_deliverables() -> None:
    answer = version_compliance(CATALOG, [Type.chart])
    assert [p.total_count for p in answer.projects] == [0, 0, 1]


def test_the_summary_counts_projects_and_uses() -> None:
    summary = version_compliance(CATALOG).summary
    assert summary is not None
    assert (summary.total_projects, summary.compliant_projects, summary.non_compliant_projects) == (3, 1, 2)
    assert summary.overall_compliance_percentage == pytest.approx(100 / 3)
    assert [(s.name, s.projects_using, s.projects_outdated) for s in summary.deliverable_stats] == [
        ("chart", 1, 1),
        ("lib", 2, 1),
    ]
