"""What was recognised in a session → rows of `predictions`: what was answered, by which models."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from ingest.deviations import project_deviations
from ingest.recordings import load_recordings, wrist_of
from models.exercise.layout import model_id
from models.recognition.sets import RecognisedSet, RecognitionModels, recognise
from models.signal.pieces import Recording
from schemas.errors import AmbiguousChunks, BadSamples
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.times import us_of
from schemas.topics import Topic
from store.predictions import Prediction
from store.records import Records
from store.sessions import SessionRow

FAMILY = "exercise"
TOPIC: Topic = "predictions"
ModelVersions = dict[str, Any]
"""The model versions that were asked: layout, exercise (a list), activity, form."""

LearnedFor = Callable[[str], Awaitable[tuple[ModelVersions, RecognitionModels]]]
"""The models that answer now for a layout, and their versions."""


async def recognise_session(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    revision_us: int,
    learned_for: LearnedFor,
    now: datetime,
) -> tuple[list[Prediction], ModelVersions] | None:
    """Look at a complete session's samples in a thread, and keep what is seen.

    Args:
        records: where all of it is kept.
        user_id: whose.
        session: complete.
        revision_us: of its newest list.
        learned_for: finds the models.
        now: when it is answered.

    Returns:
        its sets and the versions that were asked; None where the samples cannot be read, which the
        session's notes and the dead letters say.

    Raises:
        DatabaseUnavailable: the samples or a model cannot be read.
    """
    session_id = session.session_id
    try:
        recordings, notes = await load_recordings(records, user_id, session)
        asked, learned = await learned_for(_layout(recordings[0], session))
        found = await asyncio.to_thread(_sets_of, recordings, learned, notes)
    except (AmbiguousChunks, BadSamples):
        return None
    kept = [prediction_of(one, user_id, session_id, asked, now) for one in found]
    # The mart reads what was announced.
    await records.journal.announce(user_id, TOPIC, us_of(now))
    await records.predictions.replace(user_id, session_id, kept)
    await project_deviations(records, user_id, session_id, revision_us)
    return kept, asked


def _sets_of(
    recordings: Sequence[Recording], learned: RecognitionModels, notes: tuple[str, ...]
) -> list[RecognisedSet]:
    """The sets of a session, in order, with what is said of its clock."""
    found = [one for recording in recordings for one in recognise(recording, learned)]
    said = [replace(one, notes=(*one.notes, *notes)) for one in found]
    return sorted(said, key=lambda one: one.start_ns)


def declared_layout(session: SessionRow) -> InputLayout:
    """The layout of what a session declares."""
    return ACC6 if wrist_of(session.streams).gyro else ACC3


def _layout(recording: Recording, session: SessionRow) -> InputLayout:
    """The layout of the samples; of the declaration where there are none."""
    return model_id(recording) if recording.acc else declared_layout(session)


def outdated(was: ModelVersions, now: ModelVersions, *, abstained: bool) -> bool:
    """Whether a session is to be looked at again because other models serve now.

    Args:
        was: the versions that gave the answer.
        now: the versions that would be asked.
        abstained: whether something was left without a name.

    >>> was = {"exercise": ["a"], "activity": None}
    >>> outdated(was, {"exercise": ["b"], "activity": None}, abstained=False)
    False
    >>> outdated(was, {"exercise": ["b"], "activity": None}, abstained=True)
    True
    """
    found_better = was["activity"] is None and now["activity"] is not None
    return found_better or (abstained and was["exercise"] != now["exercise"])


def prediction_of(
    one: RecognisedSet, user_id: UUID, session_id: UUID, asked: ModelVersions, now: datetime
) -> Prediction:
    """A recognised set as it is kept."""
    answer, rung, counted = one.named.prediction, one.named.rung, one.counted
    details = {
        "asked": asked,
        "confidence": None if counted is None else counted.confidence,
        "repetitions": [asdict(rep) for rep in (counted.repetitions if counted else ())],
        "form": None if one.form is None else asdict(one.form),
        "notes": [*answer.notes, *one.notes],
    }
    return Prediction(
        user_id=user_id,
        session_id=session_id,
        set_id=uuid5(session_id, str(one.start_ns)),
        started_at=_time(one.start_ns),
        ended_at=_time(one.end_ns),
        exercise=answer.exercise,
        probability=answer.probability,
        abstained=answer.abstained,
        reason=answer.reason,
        reps=None if counted is None else counted.count,
        family=FAMILY,
        level=None if rung is None else rung.level,
        version=None if rung is None else rung.version,
        predicted_at=now.replace(microsecond=now.microsecond // 1000 * 1000),  # as CQL keeps it
        details=json.dumps(details),
    )


def _time(ns: int) -> datetime:
    """A time as CQL keeps it: whole milliseconds."""
    return datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC)
