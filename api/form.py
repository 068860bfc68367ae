"""The caller's form: templates, latest sets and trends, from the newest form model."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.batch_results import Stale, is_stale
from api.dependencies import Predict, Services, ServicesDep
from api.fields import Exercise, Says, StartedAt
from api.model_cache import LoadedModel
from api.model_name import ModelName, UsedModel
from api.problems import problem_responses
from api.set_schema import FormSchema
from models.form.quantities import QUANTITIES
from models.form.summary import ExerciseForm, JudgedSet, exercise_forms, symmetries_of
from models.form.template import FormTemplate
from schemas.errors import NotComputedYet
from schemas.families import FORM
from schemas.inputs import ACC3, ACC6

router = APIRouter(prefix="/v1/me", tags=["predictions"])


class QuantitySchema(BaseModel):
    """What is usual of a quantity."""

    typical: float = Field(description="median over the sets, in the unit of the quantity")
    spread: float = Field(description="how much a repetition usually differs, in the same unit")


class TemplateSchema(BaseModel):
    """The caller's usual way of doing an exercise."""

    sets: int = Field(description="number of confirmed sets that it was learned from")
    quantities: dict[str, QuantitySchema] = Field(
        description="of a repetition: duration_s (s), range_rad (rad), peak_speed (rad/s) and "
        "pause_s (s)"
    )


class JudgedSetSchema(BaseModel):
    """A confirmed set with its form."""

    set: UUID = Field(description="id of the set: a UUIDv7 that the client made")
    started_at: StartedAt
    reps: int = Field(description="repetitions as counted in the samples")
    form: FormSchema = Field(description="compared with the template, where there is one")


class ExerciseFormSchema(BaseModel):
    """An exercise on one wrist."""

    exercise: Exercise
    side: Literal["left", "right", "unknown"] = Field(description="the wrist")
    template: TemplateSchema | None = Field(description="null before three measured sets")
    sets: list[JudgedSetSchema] = Field(description="at most 5, the newest first")
    measured: int = Field(description="number of confirmed sets with repetitions")
    speed_kept: float | None = Field(
        description="peak speed at the end of a usual set over that at its start; below 1 is "
        "fatigue; null without a set of six repetitions"
    )
    trend: dict[str, float] = Field(
        description="newest three sets over those before, by quantity; empty below six sets"
    )
    says: Says


class SymmetrySchema(BaseModel):
    """An exercise that both wrists recorded."""

    exercise: Exercise
    left_over_right: dict[str, float] = Field(
        description="left over right, by quantity; 1 is alike; one that is nearly 0 is left out"
    )
    says: Says


class FormResponse(BaseModel):
    """How the caller's sets compare with the caller's own way."""

    as_of: datetime = Field(description="when the model was learned, UTC")
    stale: Stale
    model: UsedModel
    exercises: list[ExerciseFormSchema] = Field(description="by name, then by wrist")
    symmetry: list[SymmetrySchema] = Field(description="by the exercise's name")


@router.get(
    "/form",
    summary="Get the form of each exercise",
    response_description="The form of each exercise",
    responses=problem_responses(404),
)
async def get_form(caller: Predict, services: ServicesDep) -> FormResponse:
    """How the caller's sets compare with the caller's own way of doing each exercise."""
    loaded = await _form_model(services, caller.user_id)
    as_of = loaded.stored.created_at
    return FormResponse(
        as_of=as_of,
        stale=await is_stale(services, FORM, as_of),
        model=ModelName.of(loaded),
        exercises=[
            exercise_form_schema(exercise_form) for exercise_form in exercise_forms(loaded.model)
        ],
        symmetry=[
            SymmetrySchema(
                exercise=symmetry.exercise, left_over_right=symmetry.ratios, says=symmetry.says
            )
            for symmetry in symmetries_of(loaded.model)
        ],
    )


def exercise_form_schema(exercise_form: ExerciseForm) -> ExerciseFormSchema:
    """An exercise of the form model as clients see it."""
    return ExerciseFormSchema(
        exercise=exercise_form.exercise_side[0],
        side=exercise_form.exercise_side[1],  # pyrefly: ignore[bad-argument-type] as in its module
        template=None
        if exercise_form.template is None
        else template_schema(exercise_form.template),
        sets=[judged_set_schema(each) for each in exercise_form.latest],
        measured=exercise_form.sets,
        speed_kept=exercise_form.speed_kept,
        trend=exercise_form.trend,
        says=exercise_form.says,
    )


def template_schema(template: FormTemplate) -> TemplateSchema:
    """A template as clients see it."""
    rows = zip(QUANTITIES, template.typical, template.spread, strict=True)
    quantities = {n: QuantitySchema(typical=float(t), spread=float(s)) for n, t, s in rows}
    return TemplateSchema(sets=template.sets, quantities=quantities)


def judged_set_schema(judged: JudgedSet) -> JudgedSetSchema:
    """A set of the form model as clients see it."""
    return JudgedSetSchema(
        set=UUID(judged.measured.set_id),
        started_at=datetime.fromtimestamp(judged.measured.started_ms / 1000, UTC),
        reps=judged.measured.repetitions,
        form=FormSchema(score=judged.form.score, parts=judged.form.parts, says=judged.form.says),
    )


async def _form_model(services: Services, user_id: UUID) -> LoadedModel:
    """The newest form model of the caller's devices.

    Raises:
        NotComputedYet: there is none.
    """
    candidates = [await services.models.find(user_id, layout, FORM) for layout in (ACC6, ACC3)]
    form_models = [form_model for form_model in candidates if form_model is not None]
    if not form_models:
        raise NotComputedYet(
            "No form has been learned for you yet: the next run learns it from confirmed sets."
        )
    return max(form_models, key=lambda form_model: form_model.stored.created_at)
