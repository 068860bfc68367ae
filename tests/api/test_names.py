"""Exercise names are normalised in sets, corrections, plans and queries."""

import unicodedata
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest

from models.load.codec import to_bytes
from models.load.features import FORECASTS, TARGETS
from models.load.model import LoadModel
from schemas.layout import owner_of
from store.models import ModelKey, StoredModel
from tests.api.conftest import RunningService
from tests.api.learned import promote
from tests.api.phone import Phone, fresh_id, problem

NAME = "Bulgärian squat"
TYPED = (
    NAME,
    unicodedata.normalize("NFD", NAME),
    " Bulgärian\u00a0 squat\t",
    unicodedata.normalize("NFD", f"\n{NAME} "),
)


def load_model(owner: str) -> StoredModel:
    weights = np.full((len(TARGETS), 2, len(FORECASTS)), 1 / len(FORECASTS))
    content = to_bytes(LoadModel(weights, np.full(len(TARGETS), 0.1), 0.8, 9))
    key = ModelKey(owner, "sets", "load")
    return StoredModel.of(key, content, {"labels": []}, uuid4(), datetime.now(UTC))


@pytest.mark.parametrize("typed", TYPED)
def test_exercise_names_are_normalised_in_sets_plans_and_queries(
    service: RunningService, typed: str
):
    person = service.register()
    promote(service, load_model(owner_of(person.user_id)))
    plan, one = fresh_id(), fresh_id()
    with person.client() as http:
        said = {"name": "Monday", "sets": [{"exercise": typed, "reps": 3}]}
        assert http.put(f"/v1/me/plans/{plan}", json=said).json()["sets"][0]["exercise"] == NAME
        phone = Phone(http)
        assert phone.open(plan=str(plan)).status_code == 200
        first = phone.confirm(one, exercise=typed, weight_kg=60)
        assert first.json()["exercise"] == NAME
        for again in TYPED:
            repeat = phone.confirm(one, exercise=again, weight_kg=60)
            assert (repeat.status_code, repeat.headers["etag"]) == (200, first.headers["etag"])
        other = {"exercise": NAME.upper(), "weight_kg": 60}
        problem(phone.confirm(one, **other), 409, "event-conflict")
        corrected = phone.confirm(one, "*", exercise=typed, weight_kg=61)
        assert corrected.json()["exercise"] == NAME
        deviations = http.get(phone.path).json()["deviations"]
        assert [row["kinds"] for row in deviations] == [["as_planned"]]
        answer = http.get("/v1/me/load", params={"exercise": typed})
        assert answer.json()["exercise"] == NAME
        assert answer.json()["weight_kg"]["last"] == 61
        problem(http.get("/v1/me/load", params={"exercise": "\u00a0"}), 422, "bad-input")
