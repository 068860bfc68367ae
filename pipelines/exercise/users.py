"""The exercise job's pass over users: learn each, and evaluate beside the serving model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from pipelines.exercise.evaluation import Rungs
from pipelines.exercise.global_fit import GlobalModels
from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.passes import learning_pass
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import ModelCandidate
from pipelines.exercise.recipes import named_recipe
from pipelines.exercise.rows import FitContext
from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import incumbent_of, pointers_in_effect, read_serving
from pipelines.lifecycle.scope import Scope
from schemas.families import EXERCISE
from schemas.inputs import LAYOUTS, InputLayout
from store.pointers import ServingVersion

WAVE_USERS = 2000  # users whose incumbents, 17 kB each, are sent with the tasks


@dataclass(frozen=True, slots=True)
class LearnedUsers:
    """The result of a pass over users.

    Attributes:
        candidates: the new models.
        without_model: rows of the users without one.
        sets: how many were read.
    """

    candidates: list[ModelCandidate]
    without_model: list[Row]
    sets: int


def learn_users(job: Job, scope: Scope, context: FitContext) -> LearnedUsers:
    """Learn users, and evaluate their models beside those that serve them now."""
    engine = engine_of(job)
    candidates: list[ModelCandidate] = []
    without_model: list[Row] = []
    sets = 0
    with job.run.step("users"):
        for wave in waves(scope, len(pointers_in_effect(job.database, scope.keys, EXERCISE))):
            serving = pointers_in_effect(job.database, wave.keys, EXERCISE)
            incumbents = {
                (str(user), layout): incumbent_of(model)
                for (user, layout), model in read_serving(job.database, serving).items()
            }
            pass_ = learning_pass(replace(context, incumbents=incumbents))
            rows = engine.learn(wave, pass_, job.run)
            candidates += [_candidate(row, serving) for row in rows if row["status"] == "learned"]
            without_model += [row for row in rows if row["status"] != "learned"]
            sets += sum(row["sets"] for row in rows)
            job.progress.step("user models learned", len(candidates), len(scope.keys))
    return LearnedUsers(candidates, without_model, sets)


def relearn_unpromoted(
    job: Job,
    scope: Scope,
    recipe: Recipe,
    new_models: GlobalModels,
    learned: LearnedUsers,
) -> LearnedUsers:
    """Learn users again in the layouts whose new global model was not promoted.

    They are mixed with the global model that serves, or with none, as in a run over named users:
    the same sets give the same bytes in every run. And their models are evaluated beside the global
    model that would serve them otherwise, which is not one that was refused.

    Returns:
        `learned`, with those layouts replaced.
    """
    serving = read_global_models(job.database)
    again = {
        layout for layout in LAYOUTS if _version(serving, layout) != _version(new_models, layout)
    }
    keys = tuple(key for key in scope.keys if key[1] in again)
    if not keys:
        return learned
    context = FitContext(named_recipe(recipe, serving), serving)
    relearned = learn_users(job, Scope(keys, whole=False), context)
    kept = [candidate for candidate in learned.candidates if candidate.model_id not in again]
    kept_rows = [row for row in learned.without_model if row["model_id"] not in again]
    return LearnedUsers(
        kept + relearned.candidates, kept_rows + relearned.without_model, learned.sets
    )


def _version(models: GlobalModels, layout: InputLayout) -> str:
    """The version of a layout's global model, "" where there is none."""
    return models[layout].version if layout in models else ""


def waves(scope: Scope, served: int) -> list[Scope]:
    """Split a run so that the incumbents of a part fit into a task; one part when there are few.

    Args:
        scope: of the run.
        served: how many of its users have incumbents.
    """
    if served <= WAVE_USERS and (scope.whole or len(scope.keys) <= WAVE_USERS):
        return [scope]
    return [
        Scope(scope.keys[start : start + WAVE_USERS], whole=False)
        for start in range(0, len(scope.keys), WAVE_USERS)
    ]


def _candidate(row: Row, serving: Mapping[UserKey, ServingVersion]) -> ModelCandidate:
    key = UUID(row["user_id"]), row["model_id"]
    return ModelCandidate(
        *key,
        row["version"],
        bytes(row["sha256"]),
        row["sets"],
        Rungs.from_json(json.loads(row["rungs"])),
        held_out=bytes(row["held_out"]),
        note=row["reason"],
        expected_version=serving[key].version if key in serving else "",
        missing_sets=row["missing_sets"],
    )
