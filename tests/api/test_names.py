"""Exercise names are normalised in sets, corrections, plans and queries."""

import unicodedata
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

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


def test_exercise_names_are_normalised_in_sets_plans_and_queries(service: RunningService):
    person = service.register()
    promote(service, load_model(owner_of(person.user_id)))
    plan, one = fresh_id(), fresh_id()
    with person.client() as http:
        for typed in TYPED:
            said = {"name": "Monday", "sets": [{"exercise": typed, "reps": 3}]}
            planned = http.put(f"/v1/me/plans/{plan}", json=said)
            assert planned.json()["sets"][0]["exercise"] == NAME
        phone = Phone(http)
        assert phone.open(plan=str(plan)).status_code == 200
        first = phone.confirm(one, exercise=TYPED[-1], weight_kg=60)
        assert first.json()["exercise"] == NAME
        for again in TYPED:
            repeat = phone.confirm(one, exercise=again, weight_kg=60)
            assert (repeat.status_code, repeat.headers["etag"]) == (200, first.headers["etag"])
        other = {"exercise": NAME.upper(), "weight_kg": 60}
        problem(phone.confirm(one, **other), 409, "event-conflict")
        for n, typed in enumerate(TYPED, 61):
            corrected = phone.confirm(one, "*", exercise=typed, weight_kg=n)
            assert corrected.json()["exercise"] == NAME
        deviations = http.get(phone.path).json()["deviations"]
        assert [row["kinds"] for row in deviations] == [["as_planned"]]
        for typed in TYPED:
            answer = http.get("/v1/me/load", params={"exercise": typed})
            assert answer.json()["exercise"] == NAME
            assert answer.json()["weight_kg"]["last"] == 60 + len(TYPED)
        problem(http.get("/v1/me/load", params={"exercise": "\u00a0"}), 422, "bad-input")
