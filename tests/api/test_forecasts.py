"""Questions about the next set, from people of whom too little is known."""

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
def test_who_has_no_model_yet_hears_what_it_takes(
    person: Person, question: str, needed: str
) -> None:
    with person.client() as client:
        told = problem(client.get(f"/v1/me/{question}"), 404, "not-computed-yet")
    assert f"It takes {needed}. The next training learns it." in told["detail"]
