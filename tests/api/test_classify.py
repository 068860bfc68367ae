"""The service returns the model's prediction, at every model level and for every body format."""

import gzip
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import cbor2
import numpy as np
import pytest
import zstandard

from ingest.chunks import canonical_body
from ingest.importers.imported import ImportedRecording
from models.exercise.model import ExerciseModel
from models.signal.pieces import Piece
from models.signal.wrist import wrist_signals
from schemas.layout import owner_of
from store.models import StoredModel
from tests.api.classifying import body_of, classify, first_seconds
from tests.api.conftest import Person, RunningService
from tests.api.learned import learn_alone, promote, stored


def test_the_http_response_equals_the_models_prediction(
    person: Person,
    kept: StoredModel,
    model: ExerciseModel,
    recordings: list[ImportedRecording],
):
    for one in recordings[::5]:
        recording = first_seconds(one.recording, 12)
        offline = model.predict(wrist_signals(recording))
        online = classify(person, body_of(recording)).json()
        assert online["exercise"] == offline.exercise == one.sets[0].exercise
        assert online["probability"] == offline.probability
        assert [w["probability"] for w in online["windows"]] == [
            w.probability for w in offline.windows
        ]
        assert len(online["windows"]) == 9  # 12 s, a window of 4 s every second
        assert online["model"] == {"family": "exercise", "level": "user", "version": kept.version}
        assert online["abstained"] is False
        assert online["reason"] is None


def test_windows_report_their_start_times(
    person: Person, kept: StoredModel, recordings: list[ImportedRecording]
):
    recording = first_seconds(recordings[0].recording, 6)
    windows = classify(person, body_of(recording)).json()["windows"]
    began = [datetime.fromisoformat(w["started_at"]).timestamp() for w in windows]
    assert began[0] == pytest.approx(recording.acc[0].t0_ns / 1e9, abs=0.11)
    assert np.diff(began) == pytest.approx(1.0)


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "identity"])
def test_every_content_encoding_gives_the_same_prediction(
    person: Person, kept: StoredModel, recordings: list[ImportedRecording], encoding: str
):
    body = body_of(first_seconds(recordings[0].recording, 8))
    pack = {"zstd": zstandard.compress, "gzip": gzip.compress, "identity": bytes}[encoding]
    packed = classify(person, pack(body), **{"Content-Encoding": encoding})
    assert packed.json() == classify(person, body).json()


def test_json_and_lists_of_chunks_give_the_same_prediction(
    person: Person, kept: StoredModel, recordings: list[ImportedRecording]
):
    """JSON values are rounded to counts again: close, not equal."""
    recording = first_seconds(recordings[0].recording, 8)

    def readable(piece: Piece, half: slice) -> dict[str, Any]:
        values = piece.counts[half].astype(float) * piece.scale
        start = half.indices(len(piece.counts))[0]
        t0 = datetime.fromtimestamp(piece.t0_ns / 1e9 + start / piece.rate_hz, UTC)
        x, y, z = values.T.tolist()
        return {
            "t0": t0.isoformat().replace("+00:00", "Z"),
            "rate_hz": piece.rate_hz,
            "unit": piece.unit,
            "x": x,
            "y": y,
            "z": z,
        }

    halves = (slice(0, 200), slice(200, None))
    streams = {
        "a": [readable(recording.acc[0], half) for half in halves],
        "g": [readable(recording.gyro[0], half) for half in halves],
    }
    with person.client() as client:
        answer = client.post(
            "/v1/classify", json={"streams": streams, "side": recording.side}
        ).json()
    whole = classify(person, body_of(recording)).json()
    assert answer["exercise"] == whole["exercise"]
    assert answer["probability"] == pytest.approx(whole["probability"], abs=0.02)


def test_twenty_repetitions_are_counted(
    person: Person, kept: StoredModel, recordings: list[ImportedRecording]
):
    answer = classify(person, body_of(recordings[0].recording)).json()
    assert answer["reps"] == pytest.approx(20, abs=2)  # SPAR's 20 is nominal
    assert 0 <= answer["reps_confidence"] <= 1


def test_classification_without_a_model_reports_no_model(
    person: Person, recordings: list[ImportedRecording]
):
    answer = classify(person, body_of(first_seconds(recordings[0].recording, 6))).json()
    assert (answer["exercise"], answer["abstained"]) == (None, True)
    assert (answer["reason"], answer["model"]) == ("no-model", None)
    assert "2 sets of each of 2 exercises" in answer["next_step"]


def test_samples_shorter_than_a_window_abstain_with_too_short(
    person: Person, kept: StoredModel, recordings: list[ImportedRecording]
):
    answer = classify(person, body_of(first_seconds(recordings[0].recording, 2))).json()
    assert (answer["abstained"], answer["reason"]) == (True, "too-short")


def test_the_acc3_model_answers_when_the_gyroscope_ends_early(
    service: RunningService,
    person: Person,
    kept: StoredModel,
    recordings: list[ImportedRecording],
):
    """The gyroscope ends within the first window; complete samples still use the acc6 model."""
    alone = stored(learn_alone(recordings), owner_of(person.user_id))
    promote(service, alone)
    whole = first_seconds(recordings[0].recording, 12)
    short = replace(whole, gyro=first_seconds(whole, 1.5).gyro)
    for recording, version in ((whole, kept.version), (short, alone.version)):
        answer = classify(person, body_of(recording)).json()
        assert answer["exercise"] == recordings[0].sets[0].exercise
        assert answer["model"]["version"] == version


def test_unreadable_model_bytes_fall_back_to_the_next_level(
    service: RunningService, person: Person, kept: StoredModel, recordings: list[ImportedRecording]
):
    broken = kept._replace(content=b"junk", version="0" * 16, run_id=uuid.uuid4())
    promote(service, broken)
    answer = classify(person, body_of(first_seconds(recordings[0].recording, 6)))
    assert answer.status_code == 200
    assert answer.json()["reason"] == "no-model"


def chunk(**changes: object) -> dict[str, Any]:
    n = 50
    good = {
        "v": 1,
        "t0": 1_795_000_000_000_000_000,
        "rate_hz": 50.0,
        "unit": "g",
        "scale": 0.001,
        "n": n,
        "xyz": bytes(6 * n),
    }
    return {**good, **changes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"unit": "lb"}, "unit"),
        ({"rate_hz": 0.5}, "rate_hz"),
        ({"rate_hz": float("nan")}, "rate_hz"),
        ({"n": 2**32}, "n"),
        ({"xyz": b"\0" * 7}, "xyz"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_chunk_names_its_field_alone_and_within_streams(
    person: Person, changes: dict[str, object], field: str
):
    alone = classify(person, cbor2.dumps(chunk(**changes)))
    inside = classify(person, cbor2.dumps({"streams": {"a": chunk(**changes)}}))
    assert (alone.status_code, inside.status_code) == (422, 422)
    assert alone.json()["field"] == field
    assert inside.json()["field"] == f"streams.a.{field}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff",
        cbor2.dumps({"streams": {}}),
        cbor2.dumps({"streams": [1]}),
        cbor2.dumps({"streams": {"a": 1}}),
        cbor2.dumps({"streams": {"a": chunk()}, "extra": 1}),
        cbor2.dumps({"streams": {"g": chunk(unit="rad/s")}}),
    ],
)
def test_malformed_bodies_return_problems(person: Person, body: bytes):
    answer = classify(person, body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def chunks_over(seconds: int, *, step_s: int = 1, own_times: bool = False) -> dict[str, Any]:
    """A request spanning so many seconds in a few kilobytes."""
    zeros = np.zeros((seconds // step_s, 3), dtype=np.int16)
    if own_times:
        t_ms = np.arange(len(zeros), dtype=np.int32) * step_s * 1000
        pieces = [Piece(10**18, 1000.0, "g", 0.001, zeros, t_ms)]
    else:
        starts = range(0, len(zeros), 2)
        pieces = [
            Piece(10**18 + at * step_s * 10**9, 1 / step_s, "g", 0.001, zeros[:2]) for at in starts
        ]
    return {"streams": {"acc": [cbor2.loads(canonical_body(piece)) for piece in pieces]}}


@pytest.mark.parametrize("own_times", [False, True])
def test_samples_spanning_more_than_an_hour_are_rejected(person: Person, *, own_times: bool):
    question = chunks_over(3598, own_times=own_times)
    assert classify(person, cbor2.dumps(question)).status_code == 200
    question = chunks_over(3700, own_times=own_times)
    answer = classify(person, gzip.compress(cbor2.dumps(question)), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:muvr:problem:bad-chunk"
    assert answer.json()["field"] == "body"
    assert 3690 <= answer.json()["value"] <= 3700


def test_the_span_limit_includes_the_gyroscope_stream(person: Person):
    question = chunks_over(10)
    far = Piece(10**18 + 4000 * 10**9, 50.0, "rad/s", 0.001, np.zeros((9, 3), dtype=np.int16))
    question["streams"]["gyro"] = cbor2.loads(canonical_body(far))
    assert classify(person, cbor2.dumps(question)).json()["value"] == 4000


def test_an_unsupported_media_type_is_415(person: Person):
    with person.client() as client:
        answer = client.post("/v1/classify", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_a_zstd_decompression_bomb_is_413(person: Person):
    bomb = zstandard.compress(bytes(64 * 2**20))
    assert len(bomb) < 10_000
    assert classify(person, bomb, **{"Content-Encoding": "zstd"}).status_code == 413
