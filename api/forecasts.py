"""Next exercise, load and intensity: the caller's own models on the caller's confirmed sets.

Many sets take long to bring into columns, so a thread does it and asks the model.
"""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.dependencies import Predict, Services, ServicesDep
from api.fields import Exercise
from api.model_cache import LoadedModel
from api.model_name import ModelName, UsedModel
from api.needed_sets import sets_for_intensity, sets_for_next
from api.problems import problem_responses
from models.history import DoneSet, SetLog, done_set, session_numbers
from models.intensity.fit import IntensitySettings
from models.intensity.model import IntensityModel
from models.load.fit import LoadSettings
from models.load.model import Forecast, LoadModel
from models.next.fit import NextSettings
from models.next.model import NextModel
from schemas.errors import NotComputedYet
from schemas.events import MAX_REPS, MAX_WEIGHT_KG
from schemas.inputs import SETS
from schemas.names import ExerciseName
from store.sets import SetRow

router = APIRouter(prefix="/v1/me", tags=["predictions"])
ExerciseParameter = Annotated[ExerciseName, Query()]
SessionParameter = Annotated[
    UUID | None, Query(description="the session that goes on; a new one if left out")
]
NEEDED = {
    "next": f"{NextSettings().least_sets} confirmed sets",
    "load": f"{LoadSettings().least_sets} confirmed sets",
    "intensity": f"{IntensitySettings().least_sets} confirmed sets with an intensity",
}
"""What a model of each family needs to be trained."""


class NextExerciseSchema(BaseModel):
    """An exercise that may come next."""

    exercise: Exercise
    probability: float = Field(ge=0, le=1, description="that it is the next one")


class NextExerciseResponse(BaseModel):
    """What the caller probably does next."""

    exercises: list[NextExerciseSchema] = Field(description="at most 3, the most probable first")
    model: UsedModel


class ForecastSchema(BaseModel):
    """A predicted number with its interval, which should hold 4 of 5 sets."""

    value: float = Field(description="the prediction; that of repetitions may be no whole number")
    low: float | None = Field(description="start of the interval; null where too little is known")
    high: float | None = Field(description="end of the interval; null where too little is known")
    reason: Literal["too-few-sets"] | None = Field(
        description="why there is no interval; null where there is one"
    )
    last: float = Field(description="what the caller did last time, for comparison")


class LoadResponse(BaseModel):
    """Prediction for the next set of an exercise."""

    exercise: Exercise
    weight_kg: ForecastSchema | None = Field(description="weight, kg; null: never recorded with it")
    reps: ForecastSchema | None = Field(description="repetitions; null: never recorded with it")
    intensity: ForecastSchema | None = Field(description="0 to 1; null: never recorded with it")
    model: UsedModel


class IntensityResponse(BaseModel):
    """How hard the next set of an exercise will be."""

    exercise: Exercise
    intensity: float = Field(ge=0, le=1, description="0 (nothing) to 1 (all that is possible)")
    low: float = Field(ge=0, le=1, description="start of the interval that should hold 4 of 5 sets")
    high: float = Field(ge=0, le=1, description="end of the interval")
    model: UsedModel


@router.get(
    "/next-exercise",
    summary="Predict the next exercise",
    response_description="The most probable exercises",
    responses=problem_responses(404),
)
async def get_next_exercise(
    caller: Predict,
    services: ServicesDep,
    session: SessionParameter = None,
) -> NextExerciseResponse:
    """The exercise that the caller does next."""
    loaded, answer = await _next_exercises(services, caller.user_id, session)
    return NextExerciseResponse(
        exercises=[NextExerciseSchema(exercise=name, probability=share) for name, share in answer],
        model=ModelName.of(loaded),
    )


@router.get(
    "/load",
    summary="Predict weight and repetitions",
    response_description="The predicted numbers",
    responses=problem_responses(404),
)
async def get_load(
    exercise: ExerciseParameter,
    caller: Predict,
    services: ServicesDep,
    session: SessionParameter = None,
) -> LoadResponse:
    """Weight, repetitions and intensity of the caller's next set of an exercise."""
    loaded = await _model(services, caller.user_id, "load")
    rows = await services.records.sets.of_exercise(caller.user_id, exercise)
    predictions = await asyncio.to_thread(_loads, loaded.model, rows, exercise, session)
    if not predictions:
        raise NotComputedYet(f"You have not done {exercise!r} often enough.")
    forecasts: dict[str, Any] = {
        name: ForecastSchema(
            value=f.value,
            low=f.low,
            high=f.high,
            reason="too-few-sets" if f.low is None else None,
            last=f.last,
        )
        for name, f in predictions.items()
    }
    return LoadResponse(
        exercise=exercise,
        weight_kg=forecasts.get("weight_kg"),
        reps=forecasts.get("reps"),
        intensity=forecasts.get("intensity"),
        model=ModelName.of(loaded),
    )


@router.get(
    "/intensity",
    summary="Predict the intensity",
    response_description="The predicted intensity",
    responses=problem_responses(404),
)
async def get_intensity(
    caller: Predict,
    services: ServicesDep,
    exercise: Annotated[
        ExerciseName | None, Query(description="the one that probably comes next if left out")
    ] = None,
    reps: Annotated[int | None, Query(ge=0, le=MAX_REPS)] = None,
    weight_kg: Annotated[float | None, Query(ge=0, le=MAX_WEIGHT_KG)] = None,
    session: SessionParameter = None,
) -> IntensityResponse:
    """How hard the caller's next set of an exercise will be."""
    loaded = await _model(services, caller.user_id, "intensity")
    if exercise is None:
        _, probable = await _next_exercises(services, caller.user_id, session)
        exercise = probable[0][0]
    now = services.clock()
    rows = await sets_for_intensity(services.records.sets, caller.user_id, exercise, session, now)
    planned = exercise, now.timestamp(), reps, weight_kg
    value = await asyncio.to_thread(_intensity, loaded.model, rows, planned, session)
    low, high = loaded.model.interval(value)
    return IntensityResponse(
        exercise=exercise, intensity=value, low=low, high=high, model=ModelName.of(loaded)
    )


async def _next_exercises(
    services: Services, user_id: UUID, session: UUID | None
) -> tuple[LoadedModel, tuple[tuple[str, float], ...]]:
    """The model that predicts the next exercise, and its answer, the most probable first.

    Raises:
        NotComputedYet: none serves.
    """
    loaded = await _model(services, user_id, "next")
    rows = await sets_for_next(services.records.sets, user_id, loaded.model.until_s, session)
    return loaded, await asyncio.to_thread(_probable, loaded.model, rows, session)


def _probable(
    model: NextModel, rows: Iterable[SetRow], session: UUID | None
) -> tuple[tuple[str, float], ...]:
    """The most probable next exercises after these sets, the best first."""
    model, so_far, last = _gone_on(model, rows, session)
    return model.predict(so_far, before=last)


def _gone_on(
    model: NextModel, rows: Iterable[SetRow], session: UUID | None
) -> tuple[NextModel, list[str], list[str]]:
    """The model after these sets, and the exercises of the session and of the one before it."""
    rows = sorted(rows, key=lambda row: row.started_at)
    so_far = [row.exercise for row in rows if row.session_id == session]
    before = [row for row in rows if row.session_id != session]
    last = [row.exercise for row in before if row.session_id == before[-1].session_id]
    # What was done since the last training is history too: a new plan is known after its first day.
    return model.continued(log_from(before)), so_far, last


def _loads(
    model: LoadModel, rows: Iterable[SetRow], exercise: str, session: UUID | None
) -> dict[str, Forecast]:
    """Forecasts of the next set of an exercise after these sets."""
    log, number = _log_and_session(rows, session)
    return model.predict(log, exercise, session=number)


def _intensity(
    model: IntensityModel,
    rows: Iterable[SetRow],
    planned: tuple[str, float, int | None, float | None],
    session: UUID | None,
) -> float:
    """Intensity of the set that is planned after these: exercise, time in s, reps, weight in kg."""
    log, number = _log_and_session(rows, session)
    exercise, at_s, reps, weight_kg = planned
    return model.predict(log, exercise, at_s, reps=reps, weight_kg=weight_kg, session=number)


async def _model(services: Services, user_id: UUID, family: str) -> LoadedModel:
    """The caller's model of a family.

    Raises:
        NotComputedYet: none serves.
    """
    loaded = await services.models.find(user_id, SETS, family)
    if loaded is None:
        raise NotComputedYet(
            f"No {family} model has been learned for you yet.",
            next_step=f"It takes {NEEDED[family]}. The next training learns it.",
        )
    return loaded


def _log_and_session(rows: Iterable[SetRow], session: UUID | None) -> tuple[SetLog, int | None]:
    """Confirmed sets as columns, and the number in them of the session that goes on.

    The number is None for a new session, also for one without a confirmed set.
    """
    done = _done_sets(rows, ends=False)
    return SetLog.of(done), session_numbers(done).get(str(session))


def log_from(rows: Iterable[SetRow], *, ends: bool = False) -> SetLog:
    """Confirmed sets as columns, the input of the models for next exercise, load and intensity.

    Args:
        rows: in any order.
        ends: whether to read the sets' ends too; training does without.
    """
    return SetLog.of(_done_sets(rows, ends=ends))


def _done_sets(rows: Iterable[SetRow], *, ends: bool) -> list[DoneSet]:
    return [
        done_set(
            row.session_id,
            row.started_at,
            row.exercise,
            row.reps,
            row.weight_kg,
            row.intensity,
            row.ended_at if ends else None,
        )
        for row in rows
    ]
