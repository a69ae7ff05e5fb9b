from __future__ import annotations

import pytest
from argon2 import extract_parameters

from tracker.errors import TrackerError
from tracker.services.access.passwords import NOBODY, hash_password, require_policy, verify_password


def test_a_password_is_known_by_its_salted_hash() -> None:
    first, second = hash_password("correct horse battery"), hash_password("correct horse battery")
    assert first != second
    assert first.startswith(b"$argon2id$")
    assert b"correct" not in first
    assert verify_password(first, "correct horse battery")
    assert not verify_password(first, "Correct horse battery")


@pytest.mark.parametrize("stored", [b"", b"$argon2id$nothing", b"\xff"])
def test_no_password_is_right_for_what_is_no_hash(stored: bytes) -> None:
    assert not verify_password(stored, "the password of nobody")


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 129])
def test_a_password_has_12_to_128_characters(password: str) -> None:
    with pytest.raises(TrackerError, match="password must be 12 to 128 characters"):
        require_policy(password)
    require_policy("x" * 12)
    require_policy("é" * 128)


def test_the_hash_of_nobody_takes_as_long_as_those_of_users() -> None:
    ours, nobody = (extract_parameters(each) for each in (hash_password("correct horse").decode(), NOBODY))
    assert ours == nobody
