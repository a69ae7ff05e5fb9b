"""What is within the scope of a grant: a record in memory, and the query for events, which mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.access import Grant, Principal, PrincipalKind, Scope
from tracker.domain.query.matching import matches
from tracker.domain.scopes import events_within, subject_of
from tracker.pb import catalog_pb, event_pb, lock_pb
from tracker.permissions import ALL_PERMISSIONS, Permission

TEXTS = st.sampled_from(["", "a", "ab", "abc", "b", "ba*", "A"])
PATTERNS = st.lists(st.sampled_from(["", "*", "**", "a", "a*", "*b", "a*c", "*b*", "b", "ba*"]), max_size=2)
ENVIRONMENTS = st.lists(
    st.sampled_from(["", "*", "prod", "PRODUCTION", "prod*", "*ion", "dev", "elsewhere"]), max_size=2
)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    return Scope(tuple(draw(PATTERNS)), tuple(draw(ENVIRONMENTS)), tuple(draw(PATTERNS)))


@given(st.lists(scopes(), max_size=3), TEXTS, st.sampled_from(event_pb.Environment), TEXTS)
def test_the_query_for_the_events_of_a_grant_finds_those_that_it_covers(
    narrowed: list[Scope], service: str, environment: event_pb.Environment, owner: str
) -> None:
    event = event_pb.Event(
        attributes=event_pb.EventAttributes(service=service, environment=environment, owner=owner)
    )
    covered = any(scope.covers(*subject_of(event)) for scope in narrowed)
    assert matches(events_within(tuple(narrowed)), event) == covered


@given(scopes(), scopes(), TEXTS, st.sampled_from(event_pb.Environment), TEXTS)
def test_what_two_scopes_have_in_common_is_within_both(
    one: Scope, other: Scope, service: str, environment: event_pb.Environment, team: str
) -> None:
    common, record = one.common(other), (service, environment.name, team)
    if common is not None and common.covers(*record):
        assert one.covers(*record)
        assert other.covers(*record)
    assert one.common(Scope()) == one
    itself = one.common(one)
    assert (itself is not None and itself.covers(*record)) == one.covers(*record)


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        (Scope(), "event lock entry bare"),
        (Scope(services=("shop",)), "event lock entry"),
        (Scope(environments=("prod",)), "event lock"),
        (Scope(teams=("core",)), "event entry"),
        (Scope(services=("*",), environments=("*",), teams=("*",)), "event lock entry bare"),
        (Scope(services=("sho",)), ""),
        (Scope(services=("",)), ""),
        (Scope(services=("sh?p", "[s]hop")), ""),
    ],
)
def test_a_record_that_lacks_what_a_grant_is_narrowed_to_is_outside(scope: Scope, covers: str) -> None:
    attributes = event_pb.EventAttributes(
        service="shop", owner="core", environment=event_pb.Environment.production
    )
    records: dict[str, event_pb.Event | lock_pb.Lock | catalog_pb.Catalog] = {
        "event": event_pb.Event(attributes=attributes),
        "lock": lock_pb.Lock(service="shop", environment="PROD"),
        "entry": catalog_pb.Catalog(name="shop", owner="core"),
        "bare": event_pb.Event(),
    }
    assert [name for name, each in records.items() if scope.covers(*subject_of(each))] == covers.split()


def test_grants_add_up_and_a_narrowed_one_gives_only_what_belongs_to_a_service() -> None:
    shop, staging = Scope(services=("shop",)), Scope(environments=("staging",))
    grants = (
        Grant(ALL_PERMISSIONS, shop),
        Grant(frozenset({Permission.LOCK_WRITE, Permission.LINKS_READ}), staging),
        Grant(frozenset({Permission.CATALOG_READ})),
    )
    principal = Principal("user:1", PrincipalKind.USER, "ana", grants)
    assert principal.scopes(Permission.EVENT_READ) == (shop,)
    assert principal.scopes(Permission.LOCK_WRITE) == (shop, staging)
    assert principal.scopes(Permission.CATALOG_READ) is None
    assert principal.may_touch(Permission.LOCK_WRITE, "cart", "staging")
    assert not principal.may_touch(Permission.LOCK_WRITE, "cart", "production")
    for permission in (Permission.LINKS_READ, Permission.ACCESS_MANAGE, Permission.AUDIT_READ):
        assert not principal.may(permission)
        assert not principal.may_touch(permission, "shop")
