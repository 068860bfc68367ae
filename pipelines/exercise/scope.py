"""Which users an exercise run reads that is asked for the changed ones."""

from collections.abc import Set
from dataclasses import replace
from datetime import timedelta

from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.global_promotion import retire_global_models
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.recipes import named_recipe
from pipelines.exercise.unchanged import drop_unchanged
from pipelines.lifecycle.full_runs import full_run_due, global_models_move, why_full_run_waits
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.retries import unfinished
from pipelines.lifecycle.scope import Scope, scope_of
from schemas.families import EXERCISE
from schemas.inputs import InputLayout


def changed_scope(job: Job, recipe: Recipe, going: Set[InputLayout]) -> Scope:
    """Users with changes since the last run; all users when the global model is due.

    It is due before the first full run; when the last one moved global models and failed after
    that; when the last one was too many days ago and sets have changed since; when the model that
    serves must go; and, while none serves, whenever a set is new. After several failed ones it
    waits, see `why_full_run_waits`.

    Args:
        job: the job.
        recipe: of its settings.
        going: layouts whose global model must go.
    """
    now, after = job.run.started_at, timedelta(days=job.config.training.global_model_days)
    due = bool(going) or full_run_due(job.database, EXERCISE, now, after)
    waits = why_full_run_waits(job.database, EXERCISE, now)
    if due and not waits:
        return scope_of(job.database, EXERCISE, "all", now)
    if going and waits:  # the model that must go does not wait
        global_models_move(job.database, job.run)
        job.run.metrics["global"] = retire_global_models(job, {}, going)
    scope = scope_of(job.database, EXERCISE, "changed", now)
    if scope.whole:
        due = True  # nobody knows who changed
    else:
        scope, teaches = _narrowed(job, scope, recipe)
        due = due or teaches
    if due and waits:
        job.run.reasons[waits] += 1
    elif due and not scope.whole:
        return scope_of(job.database, EXERCISE, "all", now)
    return replace(scope, whole=scope.whole and not waits)


def _narrowed(job: Job, scope: Scope, recipe: Recipe) -> tuple[Scope, bool]:
    """Users whose sets are new; and whether those may give a global model where none serves."""
    global_models = read_global_models(job.database)
    scope = drop_unchanged(job.database, scope, named_recipe(recipe, global_models))
    retried = unfinished(job.database, EXERCISE)
    return scope, not global_models and any(user not in retried for user, _ in scope.keys)
