"""Forecasts of the next set for users with too little history."""

import pytest

from tests.api.conftest import Person
from tests.api.phone import problem


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        ("next-exercise", "20 confirmed sets"),
        ("load?exercise=curl", "40 confirmed sets"),
        ("intensity?exercise=curl", "40 confirmed sets with an intensity"),
    ],
)
def test_a_user_without_a_model_is_told_what_training_needs(
    person: Person, question: str, needed: str
) -> None:
    with person.client() as client:
        told = problem(client.get(f"/v1/me/{question}"), 404, "not-computed-yet")
    assert f"It takes {needed}. The next training learns it." in told["detail"]
