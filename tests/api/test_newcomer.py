"""A user without labels gets predictions of the global model, or a reason for abstaining."""

from collections.abc import Iterator

import numpy as np
import pytest

from ingest.importers.imported import ImportedRecording
from models.signal.pieces import Piece, Recording
from schemas.inputs import ACC6
from schemas.layout import GLOBAL_OWNER
from store.models import ModelKey, StoredModel
from tests.api.classifying import body_of, classify, first_seconds
from tests.api.conftest import Person, RunningService
from tests.api.learned import forget_pointers, learn, person_recordings, promote, stored
from tests.api.workouts import hours_ago, send, send_seconds, session_of
from tests.pipelines.workouts import RATE_HZ, S_NS


@pytest.fixture(scope="module")
def people(spar: list[ImportedRecording]) -> list[str]:
    return sorted({one.person for one in spar})


@pytest.fixture(scope="module")
def X1(
    service: RunningService, spar: list[ImportedRecording], people: list[str]
) -> Iterator[StoredModel]:
    """A global champion learned from everyone but the new user; removed afterwards."""
    done = [one for one in spar if one.person in people[:-1]]
    kept = stored(learn(done, "global"), GLOBAL_OWNER)
    promote(service, kept)
    yield kept
    service.run(service.services.models.champions.remove(ModelKey.of_global(ACC6, "exercise")))
    forget_pointers(service, GLOBAL_OWNER)


@pytest.fixture
def unseen(spar: list[ImportedRecording], people: list[str]) -> list[ImportedRecording]:
    """One recording of each exercise, of a person who is not in the training data."""
    mine = person_recordings(spar, people[-1])
    return list({one.sets[0].exercise: one for one in mine}.values())


def test_a_new_users_set_is_named_by_the_global_model(
    person: Person, X1: StoredModel, unseen: list[ImportedRecording]
):
    named = 0
    for one in unseen:
        said = classify(person, body_of(first_seconds(one.recording, 15))).json()
        assert said["model"] == {
            "family": "exercise",
            "level": "global",
            "version": X1.version,
        }
        named += said["exercise"] == one.sets[0].exercise
    assert named >= len(unseen) - 1


def test_a_new_users_session_is_named_by_the_global_model(
    person: Person, X1: StoredModel, unseen: list[ImportedRecording]
):
    wanted = unseen[0]
    (found,) = session_of(person, send_seconds(person, wanted.recording))["sets"]
    assert found["exercise"] == wanted.sets[0].exercise
    assert (found["abstained"], found["reason"]) == (False, None)
    assert (found["model"]["level"], found["model"]["version"]) == ("global", X1.version)
    assert found["reps"] == pytest.approx(20, abs=2)


def shaken(seconds: float = 30.0) -> Recording:
    """A wrist shaken four times a second: unlike every learned exercise."""
    turn = 2 * np.pi * 4 * np.arange(seconds * RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(4)
    acc = np.stack([3 * np.sin(turn), 3 * np.cos(turn), 1 + 0 * turn], axis=1)
    gyro = np.stack([20 * np.cos(turn), 0 * turn, 20 * np.sin(turn)], axis=1) / 2
    t0_ns = round(hours_ago(2).timestamp()) * S_NS
    pieces = [
        Piece(t0_ns, RATE_HZ, unit, 1e-3, np.rint(noisy * 1e3).astype(np.int16))
        for unit, noisy in (("g", acc + rng.normal(0, 0.1, acc.shape)), ("rad/s", gyro))
    ]
    return Recording((pieces[0],), (pieces[1],), "left")


def test_an_unknown_movement_is_not_named(person: Person, X1: StoredModel):
    recording = shaken()
    said = classify(person, body_of(recording)).json()
    assert (said["exercise"], said["reason"]) == (None, "unknown-movement")
    assert said["model"]["level"] == "global"

    sets = session_of(person, send(person, recording))["sets"]
    assert sets
    for set_ in sets:
        assert (set_["exercise"], set_["abstained"]) == (None, True)
        assert set_["reason"] == "unknown-movement"
        assert set_["model"]["level"] == "global"
