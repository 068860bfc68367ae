"""Forecasts of the next set: without a model, in a new session, and in one that goes on."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from models.intensity.codec import to_bytes as intensity_bytes
from models.intensity.features import FEATURES, Scale
from models.intensity.model import IntensityModel
from models.load.codec import to_bytes as load_bytes
from models.load.features import FORECASTS, TARGETS
from models.load.model import LoadModel
from models.next.codec import to_bytes as next_bytes
from models.next.features import START
from models.next.model import NextModel
from schemas.inputs import SETS
from store.models import ModelKey, StoredModel
from tests.api.conftest import Person
from tests.api.learned import promote
from tests.api.phone import Phone, fresh_id, problem

PYRAMID = [(60.0, 10, 0.6), (70.0, 8, 0.7), (80.0, 6, 0.8)]
"""Weight, repetitions and intensity of each set."""


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


def serve(person: Person, family: str, blob: bytes) -> None:
    """Make these bytes the person's model of a family that reads sets."""
    key = ModelKey.of_user(person.user_id, SETS, family)
    promote(person.service, StoredModel.of(key, blob, {}, uuid.uuid4(), datetime.now(UTC)))


def serve_repeating_load(person: Person) -> None:
    """A first set as in the session before, a later one by that session's step from the last."""
    weights = np.zeros((len(TARGETS), 2, len(FORECASTS)))
    weights[:, 0, FORECASTS.index("same")] = 1
    weights[:, 1, FORECASTS.index("same_step")] = 1
    serve(person, "load", load_bytes(LoadModel(weights, np.full(len(TARGETS), np.inf), 0.8, 90)))


def serve_counting_intensity(person: Person) -> None:
    """An intensity of a tenth of the sets done before in the session."""
    weights = np.where(np.array(FEATURES) == "place", 0.1, 0.0)
    scale = Scale((), np.zeros((0, 3)), np.zeros((0, 3)), 0.5)
    model = IntensityModel(scale, weights, 0.0, 0.1, True, 0.1, 90)
    serve(person, "intensity", intensity_bytes(model))


def train(client: httpx.Client, sets: int, days_ago: int = 0, minutes_ago: float = 5) -> uuid.UUID:
    """A session with the first sets of the pyramid, half a minute apart."""
    phone = Phone(client)
    phone.started = datetime.now(UTC) - timedelta(days=days_ago, minutes=minutes_ago)
    assert phone.open().status_code == 200
    for n, (weight_kg, reps, intensity) in enumerate(PYRAMID[:sets]):
        begin = phone.started + timedelta(seconds=30 * n)
        answer = phone.confirm(
            fresh_id(),
            started_at=begin.isoformat(),
            ended_at=(begin + timedelta(seconds=20)).isoformat(),
            reps=reps,
            weight_kg=weight_kg,
            intensity=intensity,
        )
        assert answer.status_code == 200, answer.text
    return phone.session


def asked(client: httpx.Client, question: str, session: uuid.UUID | None = None) -> Any:
    params = {"exercise": "bench press"} | ({"session": str(session)} if session else {})
    answer = client.get(f"/v1/me/{question}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_load_in_a_session_that_goes_on_is_that_of_its_next_set(person: Person) -> None:
    serve_repeating_load(person)
    with person.client() as client:
        train(client, 3, days_ago=1)
        going_on = train(client, 2)
        new, unknown, third = (
            tuple(
                asked(client, "load", session)[target]["value"]
                for target in ("weight_kg", "reps", "intensity")
            )
            for session in (None, fresh_id(), going_on)
        )
    assert new == unknown == pytest.approx(PYRAMID[0])
    assert third == pytest.approx(PYRAMID[2])


def test_intensity_in_a_session_that_goes_on_counts_its_sets(person: Person) -> None:
    serve_counting_intensity(person)
    with person.client() as client:
        earlier = train(client, 3, days_ago=1)
        going_on = train(client, 2)
        values = [
            asked(client, "intensity", session)["intensity"]
            for session in (None, fresh_id(), going_on, earlier)
        ]
    assert values == pytest.approx([0, 0, 0.2, 0.3])


def test_intensity_without_an_exercise_is_that_of_the_next_one(person: Person) -> None:
    serve_counting_intensity(person)
    with person.client() as client:
        train(client, 3, days_ago=1)
        told = problem(client.get("/v1/me/intensity"), 404, "not-computed-yet")
        assert "No next model" in told["detail"]
        tokens = np.array([START, 1], dtype=np.int16)
        model = NextModel(("bench press",), tokens, np.ones(2), 3, 8.0, 0.0)
        serve(person, "next", next_bytes(model))
        going_on = train(client, 2)
        answer = client.get("/v1/me/intensity", params={"session": str(going_on)}).json()
    assert (answer["exercise"], answer["intensity"]) == ("bench press", pytest.approx(0.2))


def test_intensity_after_a_set_ahead_of_the_clock_is_answered(person: Person) -> None:
    """A phone that is five minutes fast."""
    serve_counting_intensity(person)
    with person.client() as client:
        session = train(client, 2, minutes_ago=-5)
        answer = asked(client, "intensity", session)
        assert answer["intensity"] == pytest.approx(0.2)
        assert 0 <= answer["low"] <= 0.2 <= answer["high"] <= 1
