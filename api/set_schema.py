"""A set as clients see it, recognised or confirmed."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, Field

from api.fields import AbstainReason, EndedAt, Says, SetSource, StartedAt
from api.model_name import ModelName
from models.recognition.sets import SetMeasurements
from models.reps.count import Repetitions
from models.reps.measure import Repetition
from schemas.events import LabelSource
from schemas.notes import ONLY_OF_SESSIONS, meanings_without
from store.predictions import Prediction
from store.sets import SetRow


class RepetitionSchema(BaseModel):
    """One repetition of a set."""

    started_at: StartedAt
    ended_at: EndedAt
    range_rad: float | None = Field(
        description="largest tilt of the forearm away from where the repetition began, rad"
    )
    peak_speed: float | None = Field(
        description="fastest rotation, rad/s; without a gyroscope that of the tilt"
    )
    pause_s: float | None = Field(
        description="stillness from its start to the start of the next one, s"
    )


class FormSchema(BaseModel):
    """How evenly a set was done, and how it compares with the user's own template."""

    score: float | None = Field(
        description="0 to 1: mean of likeness, speed_kept and range_kept; null: too few repetitions"
    )
    parts: dict[str, float] = Field(
        description="0 to 1: likeness to the template, and likeness_ of each of its quantities; "
        "speed_kept and range_kept: the last three repetitions over the first three"
    )
    says: Says


class SetSchema(BaseModel):
    """A recognised or confirmed set."""

    set: UUID = Field(
        description="id of the set: a UUIDv7. The server makes that of a recognised one, the same "
        "one whenever it recognises the same samples; confirm the set under it, unless a set of "
        "this id was deleted"
    )
    started_at: StartedAt
    ended_at: EndedAt
    exercise: str | None = Field(description="name of the exercise; null when abstained")
    probability: float | None = Field(
        description="calibrated, 0 to 1; of the best guess when abstained; null when confirmed"
    )
    abstained: bool = Field(description="whether it is a set of which the exercise is not certain")
    reason: AbstainReason
    model: ModelName | None = Field(
        description="which model was used; null without one, and when confirmed"
    )
    reps: int | None = Field(
        description="repetitions: as confirmed, else as counted; null when neither"
    )
    reps_confidence: float | None = Field(
        description="probability that `repetitions` are as many as were done; null: not counted"
    )
    repetitions: list[RepetitionSchema] = Field(
        description="as counted in the samples; empty while they are not in, and in the answer of "
        "`PUT`: `GET` of the session has them, with `reps_confidence` and `form`"
    )
    form: FormSchema | None = Field(description="null where `repetitions` is empty")
    weight_kg: float | None = Field(description="weight as confirmed, kg; null: not said")
    intensity: float | None = Field(description="0 to 1 as confirmed; null: not said")
    source: SetSource = Field(description="recognised in the samples, or confirmed by the user")
    label_source: LabelSource | None = Field(
        default=None, description="as in the confirmation; null when recognised"
    )
    notes: list[str] = Field(
        default=[],
        description="what was put right in the samples, and what they lack. "
        f"{meanings_without(ONLY_OF_SESSIONS)}",
    )
    revision: str | None = Field(
        default=None, description="the ETag: If-Match corrects this one; null when recognised"
    )


def set_schema(row: SetRow, measured: SetMeasurements | None = None) -> SetSchema:
    """A confirmed set as clients see it: without prediction and probability.

    Args:
        row: the confirmed set; a confirmed number of repetitions is never changed.
        measured: measurements by its samples, None while these are not stored.
    """
    counted = measured.counted if measured else None
    judged = measured.form if measured else None
    return SetSchema(
        set=row.set_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        exercise=row.exercise,
        probability=None,
        abstained=False,
        reason=None,
        model=None,
        reps=row.reps if row.reps is not None or counted is None else counted.count,
        reps_confidence=None if counted is None else counted.confidence,
        repetitions=[repetition_schema(row.started_at, asdict(rep)) for rep in _each(counted)],
        form=None if judged is None else FormSchema.model_validate(asdict(judged)),
        weight_kg=row.weight_kg,
        intensity=row.intensity,
        source="confirmed",
        label_source=row.label_source,  # pyrefly: ignore[bad-argument-type] checked on the way in
        revision=etag(row),
    )


def recognised_set_schema(prediction: Prediction) -> SetSchema:
    """A recognised set as clients see it."""
    details = json.loads(prediction.details or "{}")
    return SetSchema(
        set=prediction.set_id,
        started_at=prediction.started_at,
        ended_at=prediction.ended_at,
        exercise=prediction.exercise,
        probability=prediction.probability,
        abstained=prediction.abstained,
        reason=prediction.reason,
        model=None
        if prediction.level is None or prediction.version is None
        else ModelName.model_validate(
            {"family": prediction.family, "level": prediction.level, "version": prediction.version}
        ),
        reps=prediction.reps,
        reps_confidence=details.get("confidence"),
        repetitions=[
            repetition_schema(prediction.started_at, rep) for rep in details.get("repetitions", ())
        ],
        form=FormSchema.model_validate(details["form"]) if details.get("form") else None,
        weight_kg=None,
        intensity=None,
        source="sensor",
        notes=details.get("notes", []),
    )


def repetition_schema(set_started_at: datetime, rep: Mapping[str, float]) -> RepetitionSchema:
    """A repetition with absolute times; `rep` has seconds after the set's start."""
    return RepetitionSchema(
        started_at=set_started_at + timedelta(seconds=rep["start_s"]),
        ended_at=set_started_at + timedelta(seconds=rep["end_s"]),
        range_rad=rep["range_rad"],
        peak_speed=rep["peak_speed"],
        pause_s=rep["pause_s"],
    )


def _each(counted: Repetitions | None) -> tuple[Repetition, ...]:
    return counted.repetitions if counted else ()


def etag(row: SetRow) -> str:
    """The strong ETag of a set: its revision."""
    return f'"{row.revision}"'
