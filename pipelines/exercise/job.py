"""The exercise family's job: labelled sets in Cassandra to one model per user in Cassandra."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from uuid import UUID

from models.exercise.examples import ExampleSettings
from pipelines.exercise.everybody import Everybody, everybody_of
from pipelines.exercise.global_models import (
    read_calibrations,
    read_everybody,
    store_everybody,
)
from pipelines.exercise.lesson import Lesson
from pipelines.exercise.manifest import recipe_name
from pipelines.exercise.passes import given, learning
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import Candidate, promote, rung_shares, verdicts_of
from pipelines.exercise.unchanged import drop_unchanged
from pipelines.exercise.windows import WindowRecipe
from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.job import EngineName, Job, opened_job, recorded_users, settle
from pipelines.lifecycle.members import members_of
from pipelines.lifecycle.pointers import (
    incumbent_of,
    pointers_in_effect,
    read_global_incumbents,
    read_serving,
)
from pipelines.lifecycle.runs import OVERLAP, Clock, Run, RunReport, server_time
from pipelines.lifecycle.scope import (
    Scope,
    Users,
    everybody_due,
    everybody_learned,
    scope_of,
    unfinished,
)
from pipelines.lifecycle.user_models import outcome_of, retire_users
from schemas.config import Config
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.progress import Progress
from store.champions import Serving
from store.jobs import UserOutcome

FAMILY = "exercise"
WAVE = 2000  # users whose incumbents, 17 kB each, travel with the tasks


def train_exercise(
    config: Config,
    *,
    users: Users = "all",
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
        DatabaseAway: Cassandra does not answer.
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


def named_recipe(recipe: Recipe, everybody: Mapping[InputLayout, Everybody]) -> Recipe:
    """The recipe under the name that goes into every digest."""
    versions = ",".join(f"{layout}:{everybody[layout].version}" for layout in sorted(everybody))
    return replace(recipe, name=recipe_name(recipe, versions))


def _scope(job: Job, users: Users) -> Scope:
    return scope_of(job.database, FAMILY, users, job.run.started_at)


def _changed(job: Job, recipe: Recipe) -> Scope:
    """Who changed since the last run; everybody when it is time to learn the global model again.

    That is when it was never tried, when it has had its days and sets have changed since, and,
    while nothing of it serves, whenever there is something new.
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
    engine = engine_of(job)
    everybody = {} if scope.whole else read_everybody(job.database)
    if scope.whole:
        with run.step("global"):
            members = members_of(scope.keys, recipe.windows.seed)
            rows = given(engine, members, recipe, run)
            everybody = everybody_of(rows, read_calibrations(job.database))
    recipe = named_recipe(recipe, everybody)
    candidates: list[Candidate] = []
    few: list[UserOutcome] = []
    former = asyncio.run(read_global_incumbents(job.database, FAMILY)) if scope.whole else {}
    with run.step("users"):
        for wave in waves(scope, len(pointers_in_effect(job.database, scope.keys, FAMILY))):
            serving = pointers_in_effect(job.database, wave.keys, FAMILY)
            own = {
                (str(user), layout): incumbent_of(model)
                for (user, layout), model in read_serving(job.database, serving).items()
            }
            lesson = Lesson(recipe, everybody, own, former)
            rows = engine.learned(wave, learning(lesson), run)
            candidates += _record(run, rows, serving)
            few += [outcome_of(row) for row in rows if row["status"] == "not-learned"]
            job.progress.step("users learned", len(candidates), len(scope.keys))
    run.require_lease()
    with run.step("promotion"):
        _promote(job, candidates, everybody if scope.whole else {})
    if scope.whole:
        began = run.started_at
        everybody_learned(job.database, FAMILY, run.run_id, began - OVERLAP, began)
    return few


def _record(run: Run, rows: Sequence[Row], serving: Mapping[UserKey, Serving]) -> list[Candidate]:
    """Put failed users on record, with reasons; a candidate for each user with a new model."""
    run.counts["sets"] += sum(row["sets"] for row in rows)
    run.add_outcomes([outcome_of(row) for row in rows if row["status"] == "failed"])
    return [_candidate(row, serving) for row in rows if row["status"] == "learned"]


def people_of(outcomes: Sequence[UserOutcome]) -> dict[str, int]:
    """How many people have each status; a run's counts are of models.

    Somebody whose watch records rotation has two models: with it, and of acceleration alone.

    >>> both = [UserOutcome(UUID(int=7), m, "promoted", "", "", "{}") for m in ("acc3", "acc6")]
    >>> people_of(both)
    {'promoted': 1}
    """
    who = {(one.status, one.user_id) for one in outcomes}
    return dict(sorted(Counter(status for status, _ in who).items()))


def waves(scope: Scope, served: int) -> list[Scope]:
    """Pieces of a run whose incumbents fit into a task: a scan when there are few of them.

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


def _candidate(row: Row, serving: Mapping[UserKey, Serving]) -> Candidate:
    judged = json.loads(row["judged"])
    key = UUID(row["user_id"]), row["model_id"]
    return Candidate(
        *key,
        row["version"],
        bytes(row["sha256"]),
        row["sets"],
        {rung: sets for rung, (sets, _, _) in judged.items()},
        {rung: (asked, right) for rung, (_, asked, right) in judged.items()},
        bytes(row["held"]),
        row["reason"],
        serving[key].version if key in serving else "",
    )


def _promote(
    job: Job, candidates: Sequence[Candidate], everybody: Mapping[InputLayout, Everybody]
) -> None:
    """Judge the recipe per stratum, hear the users' vetoes, move the pointers."""
    run = job.run
    verdicts = verdicts_of(candidates, job.config.training.gate_margin)
    at = server_time()
    run.add_outcomes(
        promote(job.database, candidates, verdicts, family=FAMILY, run_id=run.run_id, at=at)
    )
    # With rotation, if anybody has it.
    best = ACC6 if any(one.model_id == ACC6 for one in candidates) else ACC3
    run.metrics["rungs"] = rung_shares([one for one in candidates if one.model_id == best])
    run.metrics["rungs_alone"] = rung_shares([one for one in candidates if one.model_id != best])
    run.metrics["strata"] = {name: asdict(verdict) for name, verdict in verdicts.items()}
    run.metrics["global"] = store_everybody(
        job.database,
        everybody,
        list(candidates),
        margin=job.config.training.gate_margin,
        run_id=run.run_id,
        at=at,
    )
    if verdicts and not any(verdict.passes for verdict in verdicts.values()):
        run.status = "refused"
