"""The exercise family's job: labelled sets in Cassandra to one model per user in Cassandra."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from pipelines.exercise.global_fit import fit_global_models
from pipelines.exercise.global_models import read_calibrations, read_global_models
from pipelines.exercise.global_promotion import (
    GLOBAL_FAMILIES,
    former_global_models,
    judge_and_store,
    retire_global_models,
)
from pipelines.exercise.passes import global_sums
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import judge_and_promote
from pipelines.exercise.recipes import named_recipe, recipe_of
from pipelines.exercise.rows import FitContext
from pipelines.exercise.scope import changed_scope
from pipelines.exercise.users import LearnedUsers, learn_users, relearn_unpromoted
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.full_runs import begin_full_run, end_full_run
from pipelines.lifecycle.global_retirement import must_go
from pipelines.lifecycle.job import Job, finish_run, open_job, recorded_users
from pipelines.lifecycle.members import members_of
from pipelines.lifecycle.pointers import MoveOutcome, served_versions
from pipelines.lifecycle.retries import UNFINISHED
from pipelines.lifecycle.runs import Run, RunReport
from pipelines.lifecycle.scope import EngineName, Scope, UserSelection, scope_of
from pipelines.lifecycle.user_models import outcome_of, retire_users
from schemas.config import Config
from schemas.families import EXERCISE
from schemas.inputs import InputLayout
from schemas.progress import Progress
from schemas.times import Clock, server_time
from store.jobs import UserOutcome


def train_exercise(
    config: Config,
    *,
    users: UserSelection = "all",
    cutoff_at: datetime | None = None,
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote exercise models.

    Args:
        config: where Cassandra and Spark are.
        users: "all"; "changed" since the last run that went well; or these.
        cutoff_at: sets from this time on evaluate; None: the later part of each user's own sets.
        engine: spark, or local: the same functions in this process, the same bytes.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
        DatabaseUnavailable: Cassandra does not answer.
    """
    inputs = {"users": recorded_users(users), "cutoff_at": str(cutoff_at), "engine": engine}
    with open_job(config, EXERCISE, inputs, engine=engine, progress=progress, clock=clock) as job:
        recipe = recipe_of(config, cutoff_at)
        going = must_go(job.database, GLOBAL_FAMILIES, job.run.started_at)
        scope = _scope(job, users, recipe, going)
        too_few = _learn(job, scope, recipe, going) if scope.keys else []
        if scope.whole and not scope.keys:
            job.run.metrics["global"] = retire_global_models(job, {}, going)
        retire_users(job, too_few, scope.orphaned)
        job.run.metrics["people"] = people_of(job.run.outcomes)
        finish_run(job, users)
    return job.run.report()


def _scope(job: Job, users: UserSelection, recipe: Recipe, going: Set[InputLayout]) -> Scope:
    if users == "changed":
        return changed_scope(job, recipe, going)
    return scope_of(job.database, EXERCISE, users, job.run.started_at)


def _learn(job: Job, scope: Scope, recipe: Recipe, going: Set[InputLayout]) -> list[UserOutcome]:
    """Users' models, gate, pointers; the outcomes of users with too few sets."""
    run = job.run
    outcomes: Mapping[InputLayout, MoveOutcome] = {}
    if scope.whole:
        learned, outcomes = _learn_all(job, scope, recipe, going)
    else:
        learned = _learn_some(job, scope, recipe)
    run.require_lease()
    _record(run, learned)
    with run.step("promotion"):
        judge_and_promote(job, learned.candidates)
    # An overtaken global model is compared again by the next run, not in a week.
    if scope.whole and not any(outcome.overtaken for outcome in outcomes.values()):
        end_full_run(run)
    return [outcome_of(row) for row in learned.without_model if row["status"] == "not-learned"]


def _learn_some(job: Job, scope: Scope, recipe: Recipe) -> LearnedUsers:
    """The models of some users, beside the global models that serve."""
    global_models = read_global_models(job.database)
    return learn_users(job, scope, FitContext(named_recipe(recipe, global_models), global_models))


def _learn_all(
    job: Job, scope: Scope, recipe: Recipe, going: Set[InputLayout]
) -> tuple[LearnedUsers, Mapping[InputLayout, MoveOutcome]]:
    """The models of all users, and new global models, which are judged and promoted here."""
    run = job.run
    begin_full_run(job.database, run)
    with run.step("global"):
        members = members_of(scope.keys, recipe.windows.seed)
        rows = global_sums(engine_of(job), members, recipe, run)
        learned_until = server_time()
        global_models = fit_global_models(rows, read_calibrations(job.database))
    served = served_versions(job.database, GLOBAL_FAMILIES)
    named = named_recipe(recipe, global_models)
    context = FitContext(named, global_models, former=former_global_models(job, going))
    learned = learn_users(job, scope, context)
    run.require_lease()
    outcomes = judge_and_store(job, global_models, learned.candidates, served, going, learned_until)
    overtaken = [layout for layout, outcome in outcomes.items() if outcome.overtaken]
    run.reasons.update(f"{layout}: overtaken: {outcomes[layout].reason}" for layout in overtaken)
    run.metrics["global"] = retire_global_models(job, outcomes, going)
    return relearn_unpromoted(job, scope, recipe, global_models, learned), outcomes


def _record(run: Run, learned: LearnedUsers) -> None:
    """Count what was read, and record the users whom the next run tries again, with reasons."""
    run.counts["sets"] += learned.sets
    failed = [row for row in learned.without_model if row["status"] in UNFINISHED]
    run.add_outcomes([outcome_of(row) for row in failed])


def people_of(outcomes: Sequence[UserOutcome]) -> dict[str, int]:
    """How many users have each status; a run's counts are of models.

    A user whose watch records rotation has two models: with it, and of acceleration alone.

    >>> from uuid import UUID
    >>> both = [UserOutcome(UUID(int=7), m, "promoted", "", "", "{}") for m in ("acc3", "acc6")]
    >>> people_of(both)
    {'promoted': 1}
    """
    users = {(outcome.status, outcome.user_id) for outcome in outcomes}
    return dict(sorted(Counter(status for status, _ in users).items()))
