"""The exercise family's job: labelled sets in Cassandra to one model per user in Cassandra."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from models.exercise.examples import ExampleSettings
from pipelines.exercise.global_fit import VersionedGlobalModel, fit_global_models
from pipelines.exercise.global_gate import judge_global
from pipelines.exercise.global_models import (
    STATISTICS,
    read_calibrations,
    read_global_models,
    store_global,
)
from pipelines.exercise.passes import global_sums
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import ModelCandidate, promote, rung_shares, verdicts_of
from pipelines.exercise.rows import FitContext
from pipelines.exercise.unchanged import drop_unchanged
from pipelines.exercise.users import LearnedUsers, learn_users, named_recipe, relearn_unpromoted
from pipelines.exercise.windows import WindowRecipe
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.full_runs import (
    begin_full_run,
    end_full_run,
    full_run_due,
    global_models_move,
    why_full_run_waits,
)
from pipelines.lifecycle.global_retirement import (
    NO_SUCCESSOR,
    comparable,
    must_go,
    retire_global,
)
from pipelines.lifecycle.incumbents import IncumbentBytes
from pipelines.lifecycle.job import EngineName, Job, finish_run, open_job, recorded_users
from pipelines.lifecycle.members import members_of
from pipelines.lifecycle.pointers import (
    MoveOutcome,
    read_global_incumbents,
    served_versions,
)
from pipelines.lifecycle.retries import UNFINISHED, unfinished
from pipelines.lifecycle.runs import Run, RunReport
from pipelines.lifecycle.scope import Scope, UserSelection, scope_of
from pipelines.lifecycle.user_models import outcome_of, retire_users
from schemas.config import Config
from schemas.families import EXERCISE
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.progress import Progress
from schemas.times import Clock, server_time
from store.jobs import UserOutcome
from store.models import ModelKey

GLOBAL_FAMILIES = (EXERCISE, STATISTICS)


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
        scope = _changed(job, recipe, going) if users == "changed" else _scope(job, users)
        too_few = _learn(job, scope, recipe, going) if scope.keys else []
        if scope.whole and not scope.keys:
            job.run.metrics["global"] = _retire_global(job, {}, going)
        retire_users(job, too_few, scope.orphaned)
        job.run.metrics["people"] = people_of(job.run.outcomes)
        finish_run(job, users)
    return job.run.report()


def recipe_of(config: Config, cutoff_at: datetime | None = None) -> Recipe:
    """The recipe of the settings; `named_recipe` adds its name."""
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


def _scope(job: Job, users: UserSelection) -> Scope:
    return scope_of(job.database, EXERCISE, users, job.run.started_at)


def _changed(job: Job, recipe: Recipe, going: Set[InputLayout]) -> Scope:
    """Users with changes since the last run; all users when the global model is due.

    It is due before the first full run; when the last one moved global models and failed after
    that; when the last one was too many days ago and sets have changed since; when the model that
    serves must go; and, while none serves, whenever a set is new. After several failed ones it
    waits, see `why_full_run_waits`.
    """
    now, after = job.run.started_at, timedelta(days=job.config.training.global_model_days)
    due = bool(going) or full_run_due(job.database, EXERCISE, now, after)
    waits = why_full_run_waits(job.database, EXERCISE, now)
    if due and not waits:
        return _scope(job, "all")
    if going and waits:  # the model that must go does not wait
        global_models_move(job.database, job.run)
        job.run.metrics["global"] = _retire_global(job, {}, going)
    scope = _scope(job, "changed")
    if scope.whole:  # nobody knows who changed
        if waits:
            job.run.reasons[waits] += 1
        return replace(scope, whole=not waits)
    global_models = read_global_models(job.database)
    named = named_recipe(recipe, global_models)
    scope = drop_unchanged(job.database, EXERCISE, scope, named.newest_sets, named.name)
    retried = unfinished(job.database, EXERCISE)
    due = due or (not global_models and any(user not in retried for user, _ in scope.keys))
    if due and not waits:
        return _scope(job, "all")
    if due:
        job.run.reasons[waits] += 1
    return scope


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
        _promote_users(job, learned.candidates)
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
    learned = learn_users(job, scope, FitContext(named, global_models, former=_former(job, going)))
    run.require_lease()
    outcomes = _judge_and_store(
        job, global_models, learned.candidates, served, going, learned_until
    )
    overtaken = [layout for layout, outcome in outcomes.items() if outcome.overtaken]
    run.reasons.update(f"{layout}: overtaken: {outcomes[layout].reason}" for layout in overtaken)
    run.metrics["global"] = _retire_global(job, outcomes, going)
    return relearn_unpromoted(job, scope, recipe, global_models, learned), outcomes


def _judge_and_store(
    job: Job,
    models: Mapping[InputLayout, VersionedGlobalModel],
    candidates: Sequence[ModelCandidate],
    served: Mapping[ModelKey, str],
    going: Set[InputLayout],
    learned_until: datetime,
) -> dict[InputLayout, MoveOutcome]:
    """Judge, store and promote the new global models; the outcome of each layout."""
    settings, outcomes = job.config.training, dict[InputLayout, MoveOutcome]()
    verdicts = {
        layout: judge_global(layout, model, candidates, settings.gate_margin)
        for layout, model in models.items()
    }
    if going or not all(verdict.reason for verdict in verdicts.values()):
        global_models_move(job.database, job.run)
    for layout, model in models.items():
        outcomes[layout] = store_global(
            job.database,
            layout,
            model,
            verdicts[layout],
            served=served,
            must_replace=layout in going,
            seed=settings.seed,
            run_id=job.run.run_id,
            learned_until=learned_until,
            at=server_time(),
        )
    return outcomes


def _retire_global(
    job: Job, outcomes: Mapping[InputLayout, MoveOutcome], going: Set[InputLayout]
) -> dict[str, str]:
    """Retire global models that must go and have no successor; the outcome of each layout."""
    retired = retire_global(job, GLOBAL_FAMILIES, going)
    said = {layout: outcome.reason or outcome.status for layout, outcome in outcomes.items()}
    return {
        **said,
        **{layout: f"{said.get(layout, 'not learned')}; {NO_SUCCESSOR}" for layout in retired},
    }


def _former(job: Job, going: Set[InputLayout]) -> dict[InputLayout, IncumbentBytes]:
    """The global models that a full run's are compared with."""
    serving = asyncio.run(read_global_incumbents(job.database, EXERCISE))
    return comparable(job, serving, going)


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


def _promote_users(job: Job, candidates: Sequence[ModelCandidate]) -> None:
    """Judge the recipe per stratum, apply users' vetoes, move the pointers."""
    run = job.run
    verdicts = verdicts_of(candidates, job.config.training.gate_margin)
    outcomes = promote(job.database, candidates, verdicts, run)
    run.add_outcomes(outcomes)
    # the layout with rotation, if any user has it
    best = ACC6 if any(c.model_id == ACC6 for c in candidates) else ACC3
    run.metrics["rungs"] = rung_shares([c for c in candidates if c.model_id == best])
    run.metrics["rungs_alone"] = rung_shares([c for c in candidates if c.model_id != best])
    run.metrics["strata"] = {name: asdict(verdict) for name, verdict in verdicts.items()}
    refused = any(outcome.status == "refused" for outcome in outcomes)
    judged = [verdict for verdict in verdicts.values() if verdict.sets]
    if refused and judged and not any(verdict.passes for verdict in judged):
        run.status = "refused"
