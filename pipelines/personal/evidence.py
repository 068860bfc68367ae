"""What the runs before one found about a recipe: the newest evaluation of each other user."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from pipelines.lifecycle.pointers import WITHDRAWN
from pipelines.personal.gate import MIN_SETS_TO_JUDGE, Evidence
from schemas.statuses import UserStatus
from store.champions import Champions
from store.database import Database
from store.jobs import JobRun, JobRuns, UserOutcome

RECIPE = "recipe"  # key of a run's metrics: the name of the recipe that it judged
JUDGED = "judged"  # key of a run's metrics: its evidence with that of earlier runs
RUNS_BACK = 100  # most of them had nothing to do
MOST_RUNS_BACK = 2000  # of five years of nights, where a recipe was refused for very long
CARRIED_OVER: Sequence[UserStatus] = ("unchanged", WITHDRAWN)
"""Outcomes that may repeat an evaluation of the run before, or whose model nobody wants."""


def earlier_evidence(
    database: Database, family: str, recipe: str, users: Iterable[UUID]
) -> Iterator[Evidence]:
    """The evidence of a family's earlier runs, newest first, each read when it is asked for.

    A user counts once, in the newest run that evaluated them: a user with few sets is learned again
    every night, and would otherwise be counted again every night. What is known of a user from
    before their sets were found to be broken does not count. Runs that failed, were withdrawn
    or judged another recipe say nothing. The evaluations are in the users' outcomes, so that they
    expire, and go with an erased user.

    Args:
        database: with the runs and their outcomes.
        family: whose runs.
        recipe: as of `PersonalFamily`.
        users: those who are not to be counted: the run that is judged has evaluated them, or
            could not learn them.
    """
    seen = set(users)
    withdrawn = set(asyncio.run(Champions(database).withdrawn()))
    for run in asyncio.run(JobRuns(database).newest(family, limit=RUNS_BACK)):
        judged = _judged(run, recipe)
        if run.run_id in withdrawn or not (judged or run.counts.get("failed")):
            continue
        outcomes = asyncio.run(JobRuns(database).users(run.run_id))
        evaluated = _evaluated(outcomes) if judged else ()
        found = {user: row for user, row in evaluated if user not in seen}
        seen |= found.keys() | {row.user_id for row in outcomes if row.status == "failed"}
        yield Evidence.total(found.values())


def serving_evidence(database: Database, family: str, recipe: str) -> Evidence | None:
    """The evidence with which the recipe of the models that serve went live last.

    None where that is the given recipe, and where none has gone live on `MIN_SETS_TO_JUDGE` later
    sets. With fewer, a recipe is not known to be any better than another.
    """
    withdrawn = set(asyncio.run(Champions(database).withdrawn()))
    for run in _newest_runs(database, family):
        if run.status != "done" or run.run_id in withdrawn:
            continue
        metrics: Mapping[str, Any] = run.metrics
        evidence = Evidence.from_metrics(metrics.get(JUDGED) or metrics)
        if evidence.sets >= MIN_SETS_TO_JUDGE:
            return None if run.metrics.get(RECIPE) == recipe else evidence
    return None


def _newest_runs(database: Database, family: str) -> Iterator[JobRun]:
    """A family's runs, newest first, read as far back as they are asked for."""
    before: UUID | None = None
    for _ in range(MOST_RUNS_BACK // RUNS_BACK):
        runs = asyncio.run(JobRuns(database).page([family], before, RUNS_BACK))
        yield from runs
        if len(runs) < RUNS_BACK:
            return
        before = runs[-1].run_id


def _judged(run: JobRun, recipe: str) -> bool:
    """Whether a run ended and evaluated models of a recipe on later sets."""
    same = run.metrics.get(RECIPE) == recipe
    return same and run.status != "failed" and bool(run.metrics.get("later_sets"))


def _evaluated(outcomes: Iterable[UserOutcome]) -> Iterator[tuple[UUID, Evidence]]:
    """The users whom a run has evaluated on later sets, with the evidence."""
    for outcome in outcomes:
        evidence = Evidence.from_json(json.loads(outcome.metrics))
        if outcome.status not in CARRIED_OVER and evidence.sets:
            yield outcome.user_id, evidence
