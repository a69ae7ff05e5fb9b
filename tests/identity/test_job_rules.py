from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tracker.domain.jobs import principal_of_job, shown_claims
from tracker.errors import SetupError
from tracker.identity.job_rules import read_job_rules
from tracker.permissions import Permission

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.domain.access import Principal

GITHUB = "https://token.actions.githubusercontent.com"
RULES = f"""
[[jobs]]
name = "checkout"
issuer = "{GITHUB}"
audience = "tracker"
claims = {{ repository_id = "42", ref = ["refs/heads/main", "refs/heads/next"] }}
allow = ["event:write", "lock:write"]
services = ["checkout", "cart-*"]
environments = ["production", "staging"]
environment_claim = "environment"

[[jobs]]
name = "all-of-acme"
issuer = "{GITHUB}"
audience = "tracker"
claims = {{ repository_owner_id = "7" }}
allow = ["event:read"]

[[jobs]]
name = "gitlab"
issuer = "https://gitlab.example.com"
audience = "tracker"
claims = {{ project_id = 22, ref_protected = true }}
allow = ["event:write"]
"""
JOB = {
    "iss": GITHUB,
    "aud": "tracker",
    "sub": "repo:acme@7/checkout@42:environment:production",
    "repository": "acme/checkout",
    "repository_id": "42",
    "repository_owner_id": "7",
    "ref": "refs/heads/main",
    "environment": "production",
}


def principal(folder: Path, claims: dict[str, Any], text: str = RULES) -> Principal | None:
    file = folder / "jobs.toml"
    file.write_text(text)
    return principal_of_job(read_job_rules(file), claims)


def test_the_grants_of_all_rules_that_apply_add_up(tmp_path: Path) -> None:
    job = principal(tmp_path, JOB)
    assert job is not None
    assert (job.id, job.kind, job.name) == ("job:checkout:42", "job", "acme/checkout")
    assert job.may_touch(Permission.EVENT_WRITE, "cart-api", "prod")
    assert not job.may_touch(Permission.EVENT_WRITE, "payments", "production")
    assert not job.may_touch(Permission.EVENT_WRITE, "checkout", "staging")
    assert job.may_touch(Permission.EVENT_READ, "payments", "staging")
    assert not job.may(Permission.CATALOG_READ)


@pytest.mark.parametrize(
    "other",
    [
        {"repository_id": "43"},
        {"repository_id": "42x"},
        {"repository_id": ["42"]},
        {"repository_id": ["42", "43"]},
        {"repository_id": None},
        {"ref": "refs/heads/evil"},
        {"environment": ""},
        {"environment": "*"},
        {"environment": "[p]roduction"},
        {"environment": "development"},
        {"aud": "another"},
        {"aud": []},
        {"iss": "https://gitlab.example.com"},
    ],
    ids=str,
)
def test_a_rule_does_not_apply_to_a_token_with_another_claim(tmp_path: Path, other: dict[str, Any]) -> None:
    job = principal(tmp_path, JOB | {"repository_owner_id": "8"} | other)
    assert job is None


def test_ids_and_truth_values_are_compared_as_text(tmp_path: Path) -> None:
    for project, protected in (("22", "true"), (22, True)):
        claims = {"iss": "https://gitlab.example.com", "aud": ["x", "tracker"], "project_path": "acme/api"}
        job = principal(tmp_path, claims | {"project_id": project, "ref_protected": protected})
        assert job is not None
        assert (job.id, job.name) == ("job:gitlab:22", "acme/api")


def test_the_claims_that_rules_are_about_are_shown() -> None:
    shown = "repository_id=42, repository_owner_id=7, environment=production, ref=refs/heads/main, sub="
    assert shown_claims(JOB).startswith(shown)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "checkout"', "", "jobs[0].name: is missing"),
        ('name = "checkout"', 'name = "a b"', "jobs[0] (a b).name: expected up to 64 letters"),
        ('name = "checkout"', 'name = "gitlab"', "jobs: two rules have the name gitlab"),
        ('audience = "tracker"', "audience = 1", "jobs[0] (checkout).audience: expected a text"),
        ("allow", "alow", "jobs[0] (checkout).alow: unknown key; did you mean allow?"),
        ("event:write", "event:wirte", "unknown permission 'event:wirte'; did you mean event:write?"),
        ('["checkout", "cart-*"]', "[]", "jobs[0] (checkout).services: is empty: leave it out for all"),
        ('["checkout", "cart-*"]', '"checkout"', "jobs[0] (checkout).services: expected a list of texts"),
        ("https://gitlab", "http://gitlab", "jobs[2] (gitlab).issuer: expected an address with https"),
        ('repository_id = "42", ', "", "claims: expected one of repository_id, repository_owner_id"),
        ('repository_id = "42"', 'sub = "x", repository_id = "1"', "claims.sub: its form changes"),
        ("project_id = 22", "project_id = 2.5", "claims.project_id: expected a text, or a list"),
        ("[[jobs]]", "[[job]]", "unknown key 'job'; expected tables [[jobs]]"),
        ("[[jobs]]", "[[jobs", "Expected ']]'"),
    ],
)
def test_a_wrong_rule_is_refused_with_the_name_of_its_key(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    with pytest.raises(SetupError) as refused:
        principal(tmp_path, JOB, RULES.replace(old, new, 1))
    assert problem in str(refused.value)
    assert f"AUTH_JOBS_FILE {tmp_path / 'jobs.toml'}: " in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"nothing.toml: No such file or directory"):
        read_job_rules(tmp_path / "nothing.toml")
