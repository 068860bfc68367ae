"""The exercise job's pass over users: each learned and judged beside what serves them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from pipelines.exercise.everybody import Everybody
from pipelines.exercise.global_models import read_everybody
from pipelines.exercise.manifest import recipe_name
from pipelines.exercise.passes import learning_pass
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import ModelCandidate
from pipelines.exercise.rows import FitContext
from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import incumbent_of, pointers_in_effect, read_serving
from pipelines.lifecycle.scope import Scope
from schemas.inputs import LAYOUTS, InputLayout
from store.champions import ServingVersion

FAMILY = "exercise"
WAVE = 2000  # users whose incumbents, 17 kB each, travel with the tasks


def named_recipe(recipe: Recipe, everybody: Mapping[InputLayout, Everybody]) -> Recipe:
    """The recipe under the name that goes into every digest."""
    versions = ",".join(f"{layout}:{everybody[layout].version}" for layout in sorted(everybody))
    return replace(recipe, name=recipe_name(recipe, versions))


@dataclass(frozen=True, slots=True)
class LearnedUsers:
    """What a pass over users came to.

    Attributes:
        candidates: who has a new model.
        without: rows of those who have none.
        sets: how many were read.
    """

    candidates: list[ModelCandidate]
    without: list[Row]
    sets: int


def learn_users(job: Job, scope: Scope, lesson: FitContext) -> LearnedUsers:
    """Learn users, and judge them beside what serves each of them now."""
    engine = engine_of(job)
    candidates: list[ModelCandidate] = []
    without: list[Row] = []
    sets = 0
    with job.run.step("users"):
        for wave in waves(scope, len(pointers_in_effect(job.database, scope.keys, FAMILY))):
            serving = pointers_in_effect(job.database, wave.keys, FAMILY)
            own = {
                (str(user), layout): incumbent_of(model)
                for (user, layout), model in read_serving(job.database, serving).items()
            }
            rows = engine.learned(wave, learning_pass(replace(lesson, incumbents=own)), job.run)
            candidates += [_candidate(row, serving) for row in rows if row["status"] == "learned"]
            without += [row for row in rows if row["status"] != "learned"]
            sets += sum(row["sets"] for row in rows)
            job.progress.step("users learned", len(candidates), len(scope.keys))
    return LearnedUsers(candidates, without, sets)


def as_it_serves(
    job: Job,
    scope: Scope,
    recipe: Recipe,
    tried: Mapping[InputLayout, Everybody],
    found: LearnedUsers,
) -> LearnedUsers:
    """Learn users again where their layout's new global model does not serve; all that is found.

    They are mixed with the global model that does serve, or with nobody where none does, as a run
    of named users would mix them: the same sets give the same bytes, whoever asks. And they are
    judged by what would answer them otherwise, which is not a model that is kept back.
    """
    serving = read_everybody(job.database)
    again = {one for one in LAYOUTS if _version(serving, one) != _version(tried, one)}
    keys = tuple(key for key in scope.keys if key[1] in again)
    if not keys:
        return found
    lesson = FitContext(named_recipe(recipe, serving), serving, {})
    more = learn_users(job, Scope(keys, whole=False), lesson)
    return LearnedUsers(
        [one for one in found.candidates if one.model_id not in again] + more.candidates,
        [row for row in found.without if row["model_id"] not in again] + more.without,
        found.sets,
    )


def _version(everybody: Mapping[InputLayout, Everybody], layout: InputLayout) -> str:
    """The version of a layout's global model, "" where there is none."""
    return everybody[layout].version if layout in everybody else ""


def waves(scope: Scope, served: int) -> list[Scope]:
    """Parts of a run whose incumbents fit into a task; the whole run, as a scan, when few have one.

    Args:
        scope: of the run.
        served: how many of its users have incumbents.
    """
    if served <= WAVE and (scope.whole or len(scope.keys) <= WAVE):
        return [scope]
    return [
        Scope(scope.keys[start : start + WAVE], whole=False)
        for start in range(0, len(scope.keys), WAVE)
    ]


def _candidate(row: Row, serving: Mapping[UserKey, ServingVersion]) -> ModelCandidate:
    judged = json.loads(row["judged"])
    key = UUID(row["user_id"]), row["model_id"]
    return ModelCandidate(
        *key,
        row["version"],
        bytes(row["sha256"]),
        row["sets"],
        {rung: sets for rung, (sets, _, _) in judged.items()},
        {rung: (asked, right) for rung, (_, asked, right) in judged.items()},
        bytes(row["held"]),
        row["reason"],
        serving[key].version if key in serving else "",
        row["lacking"],
    )
