"""The exercise family's job: labelled sets in Cassandra to one model per user in Cassandra."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from models.exercise.examples import ExampleSettings
from pipelines.exercise.everybody import Everybody, everybody_of
from pipelines.exercise.global_models import (
    read_calibrations,
    read_everybody,
    store_everybody,
)
from pipelines.exercise.passes import global_sums
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import ModelCandidate, promote, rung_shares, verdicts_of
from pipelines.exercise.rows import FitContext
from pipelines.exercise.unchanged import drop_unchanged
from pipelines.exercise.users import LearnedUsers, as_it_serves, learn_users, named_recipe
from pipelines.exercise.windows import WindowRecipe
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.job import EngineName, Job, opened_job, recorded_users, settle
from pipelines.lifecycle.members import members_of
from pipelines.lifecycle.pointers import read_global_incumbents
from pipelines.lifecycle.runs import OVERLAP, Clock, Run, RunReport, server_time
from pipelines.lifecycle.scope import (
    AskedUsers,
    Scope,
    everybody_due,
    everybody_learned,
    scope_of,
    unfinished,
)
from pipelines.lifecycle.user_models import outcome_of, retire_users
from schemas.config import Config
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.progress import Progress
from store.jobs import UserOutcome

FAMILY = "exercise"


def train_exercise(
    config: Config,
    *,
    users: AskedUsers = "all",
    cutoff_at: datetime | None = None,
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote exercise models.

    Args:
        config: where Cassandra and Spark are.
        users: "all"; "changed" since the last run that went well; or these.
        cutoff_at: sets from here on judge; None: the later part of each user's own sets.
        engine: spark, or local: the same functions in this process, the same bytes.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
        DatabaseUnavailable: Cassandra does not answer.
    """
    inputs = {"users": recorded_users(users), "cutoff_at": str(cutoff_at), "engine": engine}
    with opened_job(config, FAMILY, inputs, engine=engine, progress=progress, clock=clock) as job:
        recipe = recipe_of(config, cutoff_at)
        scope = _changed(job, recipe) if users == "changed" else _scope(job, users)
        few = _learn(job, scope, recipe) if scope.keys else []
        retire_users(job, few, scope.gone)
        job.run.metrics["people"] = people_of(job.run.outcomes)
        settle(job, users)
    return job.run.report()


def recipe_of(config: Config, cutoff_at: datetime | None = None) -> Recipe:
    """The settings' recipe; the global model completes its name."""
    settings = config.training
    return Recipe(
        name="",
        newest_sets=settings.newest_sets,
        cutoff_at=cutoff_at,
        cutoff_share=settings.cutoff_share,
        windows=WindowRecipe(
            ExampleSettings(step_s=settings.window_step_s, copies=settings.window_copies),
            settings.seed,
        ),
    )


def _scope(job: Job, users: AskedUsers) -> Scope:
    return scope_of(job.database, FAMILY, users, job.run.started_at)


def _changed(job: Job, recipe: Recipe) -> Scope:
    """Who changed since the last run; everybody when the global model is due.

    It is due when it was never tried; when its days are over and sets have changed since; and,
    while no global model serves, whenever there is something new.
    """
    after = timedelta(days=job.config.training.everybody_days)
    if everybody_due(job.database, FAMILY, job.run.started_at, after):
        return _scope(job, "all")
    scope = _scope(job, "changed")
    if scope.whole:
        return scope
    everybody = read_everybody(job.database)
    named = named_recipe(recipe, everybody)
    scope = drop_unchanged(job.database, FAMILY, scope, named.newest_sets, named.name)
    known = unfinished(job.database, FAMILY)
    if not everybody and any(user not in known for user, _ in scope.keys):
        return _scope(job, "all")
    return scope


def _learn(job: Job, scope: Scope, recipe: Recipe) -> list[UserOutcome]:
    """Global model, users' models, gate, pointers; the outcomes of users with too few sets."""
    run = job.run
    everybody = {} if scope.whole else read_everybody(job.database)
    if scope.whole:
        with run.step("global"):
            members = members_of(scope.keys, recipe.windows.seed)
            rows = global_sums(engine_of(job), members, recipe, run)
            everybody = everybody_of(rows, read_calibrations(job.database))
    former = asyncio.run(read_global_incumbents(job.database, FAMILY)) if scope.whole else {}
    found = learn_users(
        job, scope, FitContext(named_recipe(recipe, everybody), everybody, {}, former)
    )
    run.require_lease()
    if scope.whole:
        _let_everybody_serve(job, found.candidates, everybody)
        found = as_it_serves(job, scope, recipe, everybody, found)
        run.require_lease()
    _note(run, found)
    with run.step("promotion"):
        _promote(job, found.candidates)
    if scope.whole:
        began = run.started_at
        everybody_learned(job.database, FAMILY, run.run_id, began - OVERLAP, began)
    return [outcome_of(row) for row in found.without if row["status"] == "not-learned"]


def _note(run: Run, found: LearnedUsers) -> None:
    """Count what was read, and note the users who failed, with reasons."""
    run.counts["sets"] += found.sets
    run.add_outcomes([outcome_of(row) for row in found.without if row["status"] == "failed"])


def people_of(outcomes: Sequence[UserOutcome]) -> dict[str, int]:
    """How many people have each status; a run's counts are of models.

    Somebody whose watch records rotation has two models: with it, and of acceleration alone.

    >>> from uuid import UUID
    >>> both = [UserOutcome(UUID(int=7), m, "promoted", "", "", "{}") for m in ("acc3", "acc6")]
    >>> people_of(both)
    {'promoted': 1}
    """
    who = {(one.status, one.user_id) for one in outcomes}
    return dict(sorted(Counter(status for status, _ in who).items()))


def _let_everybody_serve(
    job: Job, candidates: Sequence[ModelCandidate], everybody: Mapping[InputLayout, Everybody]
) -> None:
    """Judge the new global models by their answers about members who were taken out of them."""
    job.run.metrics["global"] = store_everybody(
        job.database,
        everybody,
        list(candidates),
        margin=job.config.training.gate_margin,
        run_id=job.run.run_id,
        at=server_time(),
    )


def _promote(job: Job, candidates: Sequence[ModelCandidate]) -> None:
    """Judge the recipe per stratum, hear the users' vetoes, move the pointers."""
    run = job.run
    verdicts = verdicts_of(candidates, job.config.training.gate_margin)
    run.add_outcomes(
        promote(
            job.database, candidates, verdicts, family=FAMILY, run_id=run.run_id, at=server_time()
        )
    )
    # With rotation, if anybody has it.
    best = ACC6 if any(one.model_id == ACC6 for one in candidates) else ACC3
    run.metrics["rungs"] = rung_shares([one for one in candidates if one.model_id == best])
    run.metrics["rungs_alone"] = rung_shares([one for one in candidates if one.model_id != best])
    run.metrics["strata"] = {name: asdict(verdict) for name, verdict in verdicts.items()}
    if verdicts and not any(verdict.passes for verdict in verdicts.values()):
        run.status = "refused"
