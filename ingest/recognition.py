"""Recognises the sets of a session and stores them as rows of `predictions`."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ingest.deviations import project_deviations
from ingest.missing_rotation import with_rotation_notes
from ingest.recordings import load_recordings
from ingest.replaced_predictions import not_replaced
from ingest.stored_session import StoredSession
from ingest.wrist_streams import WristStreams, wrist_of
from models.exercise.layout import layout_of_recording
from models.recognition.sets import RecognisedSet, RecognitionModels, recognise
from models.signal.pieces import Recording
from schemas.errors import AmbiguousChunks, BadSamples
from schemas.families import EXERCISE
from schemas.ids import recognised_set_id
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.notes import QualityNote
from schemas.times import at_ms_of_ns, us_of
from schemas.topics import PREDICTIONS
from store.predictions import Prediction
from store.sessions import SessionRow

ModelVersions = dict[str, Any]
"""The versions of the models that were used: layout, exercise (a list), activity, form."""

LoadModels = Callable[[str], Awaitable[tuple[ModelVersions, RecognitionModels]]]
"""Loads the models that serve a layout now, with their versions."""


async def recognise_session(
    stored: StoredSession, load_models: LoadModels, now: datetime
) -> tuple[list[Prediction], ModelVersions] | None:
    """Recognise the sets of a complete session in a thread, and store them.

    Sets that were named before keep their predictions.

    Args:
        stored: a complete session.
        load_models: loads the models.
        now: time of the predictions.

    Returns:
        its sets and the versions of the models; None where the samples cannot be read, which the
        session's notes report.

    Raises:
        DatabaseUnavailable: the samples or a model cannot be read.
    """
    records = stored.records
    try:
        recordings, notes = await load_recordings(stored)
        versions, models = await load_models(_layout(recordings[0], stored.session))
        recognised = await asyncio.to_thread(_sets_of, recordings, models, stored.wrist, notes)
    except (AmbiguousChunks, BadSamples):
        return None
    former = await stored_predictions(stored)
    now_recognised = [prediction_of(one, *stored.key, versions, now) for one in recognised]
    predictions = _with_named(former, now_recognised, versions)
    # Announced, because the mart refreshes only users with changes.
    await records.changes.announce(stored.user_id, PREDICTIONS, us_of(now))
    await records.predictions.replace(*stored.key, predictions)
    await project_deviations(records, *stored.key, stored.lists_revision, us_of(now))
    return predictions, versions


async def stored_predictions(stored: StoredSession) -> list[Prediction]:
    """The predictions of a session since its newest list, in time order.

    Empty where a crash left some of a recognition's sets unwritten.
    """
    predictions = await stored.records.predictions.of_session(*stored.key)
    current = [row for row in predictions if us_of(row.predicted_at) >= stored.lists_revision]
    return current if are_all_stored(current) else []


def versions_used(predictions: Sequence[Prediction]) -> ModelVersions | None:
    """The models with which stored predictions were last made; None where that is not known."""
    details = predictions[0].details if predictions else None
    return json.loads(details)["asked"] if details else None


def _with_named(
    former: Sequence[Prediction], recognised: Sequence[Prediction], versions: ModelVersions
) -> list[Prediction]:
    """A session's predictions when it is recognised again: those with a name stay.

    What a set was answered decides how good live recognition was; another model's answer, which may
    have learned from that very set, must not replace it. Only sets that were found without a
    trained model give way to those of the first one.
    """
    used = versions_used(former)
    stay = used is not None and not _is_first_activity_model(used, versions)
    named = [row for row in former if stay and not row.abstained]
    rows = sorted([*named, *not_replaced(recognised, named)], key=lambda row: row.started_at)
    of_session = {"asked": versions, "sets": len(rows)}
    return [
        row._replace(details=json.dumps(json.loads(row.details or "{}") | of_session))
        for row in rows
    ]


def _sets_of(
    recordings: Sequence[Recording],
    models: RecognitionModels,
    wrist: WristStreams,
    notes: tuple[QualityNote, ...],
) -> list[RecognisedSet]:
    """The sets of a session in order, with the notes about its clock and missing rotation."""
    recognised = [
        with_rotation_notes(wrist, recording, recognised_set.end_ns, recognised_set)
        for recording in recordings
        for recognised_set in recognise(recording, models)
    ]
    noted = [
        replace(recognised_set, notes=(*recognised_set.notes, *notes))
        for recognised_set in recognised
    ]
    return sorted(noted, key=lambda recognised_set: recognised_set.start_ns)


def declared_layout(session: SessionRow) -> InputLayout:
    """The input layout of a session by its declared streams."""
    return ACC6 if wrist_of(session.streams).gyro else ACC3


def _layout(recording: Recording, session: SessionRow) -> InputLayout:
    """The input layout of the samples; of the declared streams if there are none."""
    return layout_of_recording(recording) if recording.acc else declared_layout(session)


def outdated(used: ModelVersions, current: ModelVersions, *, abstained: bool) -> bool:
    """Whether to recognise a session again because other models serve now.

    Args:
        used: the versions that gave the stored predictions.
        current: the versions that serve now.
        abstained: whether a set was left without a name.

    >>> used = {"exercise": ["a"], "activity": None}
    >>> outdated(used, {"exercise": ["b"], "activity": None}, abstained=False)
    False
    >>> outdated(used, {"exercise": ["b"], "activity": None}, abstained=True)
    True
    """
    return _is_first_activity_model(used, current) or (
        abstained and used["exercise"] != current["exercise"]
    )


def _is_first_activity_model(used: ModelVersions, current: ModelVersions) -> bool:
    return used["activity"] is None and current["activity"] is not None


def are_all_stored(predictions: Sequence[Prediction]) -> bool:
    """Whether these are all sets of one recognition: a crash may have left some of them out.

    Each has their number in its details.
    """
    numbers = {json.loads(row.details or "{}").get("sets") for row in predictions}
    return numbers <= {len(predictions)}


def prediction_of(
    recognised: RecognisedSet,
    user_id: UUID,
    session_id: UUID,
    versions: ModelVersions,
    now: datetime,
) -> Prediction:
    """A recognised set as a row of `predictions`."""
    prediction, rung, counted = (
        recognised.named.prediction,
        recognised.named.rung,
        recognised.counted,
    )
    details = {
        "asked": versions,
        "confidence": None if counted is None else counted.confidence,
        "repetitions": [asdict(rep) for rep in (counted.repetitions if counted else ())],
        "form": None if recognised.form is None else asdict(recognised.form),
        "notes": [*prediction.notes, *recognised.notes],
    }
    return Prediction(
        user_id=user_id,
        session_id=session_id,
        set_id=recognised_set_id(session_id, recognised.start_ns),
        started_at=at_ms_of_ns(recognised.start_ns),
        ended_at=at_ms_of_ns(recognised.end_ns),
        exercise=prediction.exercise,
        probability=prediction.probability,
        abstained=prediction.abstained,
        reason=prediction.reason,
        reps=None if counted is None else counted.count,
        family=EXERCISE,
        level=None if rung is None else rung.level,
        version=None if rung is None else rung.version,
        predicted_at=now.replace(microsecond=now.microsecond // 1000 * 1000),  # as CQL keeps it
        details=json.dumps(details),
    )
