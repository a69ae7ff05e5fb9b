from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import FieldViolation, invalid

FIELDS = st.from_regex(r"[a-z_]+(\[[0-9]\])?(\.[a-z_]+)*", fullmatch=True)


@pytest.mark.parametrize(
    ("field", "description", "message"),
    [
        ("id", "must be a valid UUID", "id: must be a valid UUID"),
        ("id", "identity is odd", "id: identity is odd"),
        ("id", "id or slack_id is required", "id or slack_id is required"),
        (
            "end_date",
            "start_date and end_date are required",
            "start_date and end_date are required",
        ),
        (
            "types[2]",
            'expected a string, got {"types[2] ": 1}',
            'types[2]: expected a string, got {"types[2] ": 1}',
        ),
        ("slackId", "slack_id cannot be empty", "slack_id cannot be empty"),
        ("entry", "changelog entry cannot be nil", "changelog entry cannot be nil"),
        ("name", "expected a name", "name: expected a name"),
        ("", "the body is not valid JSON", "the body is not valid JSON"),
    ],
)
def test_what_is_wrong_with_a_field_is_said_under_its_name(
    field: str, description: str, message: str
) -> None:
    assert invalid(FieldViolation(field, description)).message == message


@given(field=FIELDS, description=st.text())
def test_every_message_names_the_field_at_its_beginning(field: str, description: str) -> None:
    message = invalid(FieldViolation(field, description)).message
    assert message.startswith(f"{field}: ") or field.replace("_", "") in [
        word.replace("_", "") for word in message.lower().split()[:3]
    ]
    assert message.endswith(description)
