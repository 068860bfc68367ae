"""Classifies the held-out part of each recording, by the service and by the nine others' model."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from examples.client import Client
from models.exercise.codec import from_bytes
from models.exercise.evaluate import LabelledWindows, Scores, labelled_windows, score
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_global
from models.exercise.model import ExerciseModel
from models.exercise.prediction import Prediction
from models.exercise.statistics import Statistics, total
from models.signal.pieces import Piece, Recording
from models.signal.wrist import wrist_signals
from muvr.demo.people import DemoSession
from muvr.importing import chunk_bodies
from schemas.progress import Progress


@dataclass(slots=True)
class ServicePredictions:
    """The service's answers about one person's held-out recordings.

    Attributes:
        windows, windows_right, sets, sets_right: counts; an abstention is not right.
        differing: windows whose exercise or probability differs from the offline evaluation of
            the downloaded model.
        milliseconds: of every request, as the client sees it.
    """

    windows: int = 0
    windows_right: int = 0
    sets: int = 0
    sets_right: int = 0
    differing: int = 0
    model_bytes: int = 0
    level: str = ""
    milliseconds: list[float] = field(default_factory=list)


def classify_all(
    clients: Mapping[str, Client],
    people: Mapping[str, Sequence[DemoSession]],
    progress: Progress,
) -> dict[str, ServicePredictions]:
    """Send the held-out part of every recording to `classify`."""
    total_sessions = sum(map(len, people.values()))
    predictions: dict[str, ServicePredictions] = {}
    done = 0
    for person, sessions in people.items():
        predictions[person] = ServicePredictions()
        # None stands for a model that is still the newest, which only a caller with an ETag asks
        model = cast("bytes", clients[person].model("exercise")[0])
        predictions[person].model_bytes = len(model)
        for session in sessions:
            _classify(clients[person], session, model, predictions[person])
            done += 1
            progress.step("classify the later 30 %", done, total_sessions)
    return predictions


def _classify(
    client: Client, session: DemoSession, model: bytes, predictions: ServicePredictions
) -> None:
    began = time.perf_counter()
    response = client.classify(bodies(session.held_out), side=session.side, reps=False)
    predictions.milliseconds.append((time.perf_counter() - began) * 1e3)
    predictions.level = response["model"]["level"]
    predictions.sets += 1
    predictions.sets_right += response["exercise"] == session.exercise
    own = from_bytes(model)
    predictions.differing += _differing(response, own, own.predict(wrist_signals(session.held_out)))
    predictions.windows += len(response["windows"])
    predictions.windows_right += sum(
        window["exercise"] == session.exercise for window in response["windows"]
    )


def _differing(response: Mapping[str, Any], own: ExerciseModel, offline: Prediction) -> int:
    """The number of windows in which the service and the same model in this process differ.

    Where the user's own model abstains the service uses the global model, which clients cannot
    fetch.
    """
    if response["model"]["level"] != own.level:
        return 0 if offline.abstained else len(offline.windows)
    served = [(window["exercise"], window["probability"]) for window in response["windows"]]
    computed = [(window.exercise, window.probability) for window in offline.windows]
    if len(served) != len(computed):
        return max(len(served), len(computed))
    return sum(a != b for a, b in zip(served, computed, strict=True))


def bodies(recording: Recording) -> dict[str, bytes]:
    """Both streams as chunk bodies; each of the two is one piece in this data."""
    return {"acc": _body(recording.acc[0]), "gyro": _body(recording.gyro[0])}


def _body(piece: Piece) -> bytes:
    [(body, _)] = chunk_bodies((piece,), samples=len(piece.counts))
    return body


def score_unseen_people(
    people: Mapping[str, Sequence[DemoSession]], progress: Progress
) -> dict[str, Scores]:
    """For every person, the scores of the nine others' model on the same held-out windows."""
    statistics: dict[str, Statistics] = {}
    for done, (person, sessions) in enumerate(people.items(), start=1):
        statistics[person] = total([_statistics(session) for session in sessions])
        progress.step("learn from nine, ask the tenth", done, len(people))
    all_people = total(list(statistics.values()))
    return {person: _score(all_people - statistics[person], people[person]) for person in people}


def _statistics(session: DemoSession) -> Statistics:
    return total(
        [
            set_statistics(wrist_signals(recording), session.exercise, seed=set_id.int % 2**32)
            for recording, (set_id, _, _) in zip(session.labelled, session.sets, strict=True)
        ]
    )


def _score(others: Statistics, sessions: Sequence[DemoSession]) -> Scores:
    return score(fit_global(others).model, _held_out(sessions))


def _held_out(sessions: Sequence[DemoSession]) -> list[LabelledWindows]:
    windows_of = [
        labelled_windows(wrist_signals(session.held_out), session.exercise) for session in sessions
    ]
    return [windows for windows in windows_of if windows is not None]
