"""Attempts to log in, and calls with invalid credentials, are slowed down after a few."""

from __future__ import annotations

import pytest

from tracker.errors import Reason, TrackerError
from tracker.services.access.attempts import MOST_REMEMBERED, PER_ACCOUNT, PER_ADDRESS, FailedAttempts

HERE, THERE = "203.0.113.7", "203.0.113.8"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> FailedAttempts:
    return FailedAttempts(clock)


def test_an_account_takes_five_failures_a_minute_from_an_address(
    attempts: FailedAttempts, clock: Clock
) -> None:
    for _ in range(PER_ACCOUNT):
        attempts.begin(HERE, "Ana")
        clock.now += 5
    with pytest.raises(TrackerError) as refused:
        attempts.begin(HERE, "ana")
    assert refused.value.reason is Reason.TOO_MANY_FAILED_ATTEMPTS
    assert refused.value.message == "too many failed attempts, retry later"
    assert refused.value.retry_seconds == 60 - 5 * PER_ACCOUNT
    attempts.begin(THERE, "ana")
    attempts.begin(HERE, "ben")
    clock.now += refused.value.retry_seconds
    attempts.begin(HERE, "ana")
    with pytest.raises(TrackerError):
        attempts.begin(HERE, "ana")


def test_attempts_that_are_under_way_count(attempts: FailedAttempts) -> None:
    for _ in range(PER_ACCOUNT):
        attempts.begin(HERE, "ana")
    with pytest.raises(TrackerError):
        attempts.begin(HERE, "ana")


def test_a_login_ends_the_count(attempts: FailedAttempts) -> None:
    for _ in range(4 * PER_ACCOUNT):
        attempts.begin(HERE, "ana")
        attempts.succeeded(HERE, "Ana")


def test_an_address_that_tries_many_accounts_is_slowed_down(attempts: FailedAttempts) -> None:
    for number in range(PER_ADDRESS):
        attempts.begin(HERE, f"user{number}")
    with pytest.raises(TrackerError):
        attempts.begin(HERE, "ana")
    attempts.begin(THERE, "ana")


def test_an_address_that_sends_invalid_credentials_is_slowed_down(
    attempts: FailedAttempts, clock: Clock
) -> None:
    for _ in range(PER_ADDRESS):
        attempts.refused(HERE)
    with pytest.raises(TrackerError):
        attempts.refused(HERE)
    attempts.begin(HERE, "ana")
    clock.now += 60
    attempts.refused(HERE)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_is_slowed_down_by_account_alone(attempts: FailedAttempts, address: str) -> None:
    for number in range(2 * PER_ADDRESS):
        attempts.refused(address)
        attempts.begin(address, f"user{number}")
    for _ in range(PER_ACCOUNT):
        attempts.begin(address, "ana")
    with pytest.raises(TrackerError):
        attempts.begin(address, "ana")


def test_so_much_is_remembered_and_no_more(attempts: FailedAttempts) -> None:
    for number in range(2 * MOST_REMEMBERED):
        attempts.refused(f"203.0.{number}")
    assert len(vars(attempts)["_failed"]) <= MOST_REMEMBERED
