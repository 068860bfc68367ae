"""Models per user from confirmed sets: intensity, load, next. One job for three families.

Each family returns, per user, the error of a model of the earlier sets on the later ones, and the
error of the baseline "the same as last time". The recipe is judged on the sums over users, and a
model that is clearly worse than the baseline for its user is vetoed (`pipelines.personal.gate`).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import Pass, engine_of
from pipelines.lifecycle.job import Job, finish_run, open_job, recorded_users
from pipelines.lifecycle.pointers import pointers_in_effect
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import (
    EngineName,
    UserSelection,
    orphaned_pointers,
    pointer_keys,
    selected_users,
)
from pipelines.lifecycle.set_logs import evaluation_cutoff_s, latest_start
from pipelines.lifecycle.user_models import (
    USER_MODEL_WRITER,
    outcome_of,
    promote_users,
    retire_users,
)
from pipelines.personal.cutoff import NEWEST_SET, newest_known_set_at
from pipelines.personal.evidence import JUDGED, RECIPE, earlier_evidence, serving_evidence
from pipelines.personal.family import PersonalFamily
from pipelines.personal.gate import VETOED, Evidence
from pipelines.personal.rows import LEARNED, evidence_of, learned_rows
from pipelines.personal.sets import CONFIRMED_SETS, sets_scope
from pipelines.personal.unchanged import split_unchanged
from schemas.config import Config
from schemas.errors import NotEnoughLabels
from schemas.inputs import SETS
from schemas.progress import Progress
from schemas.times import Clock, server_time
from store.jobs import UserOutcome
from store.pointers import ServingVersion

USERS_PER_CALL = 64  # small problems that are solved together


def train_personal(
    family: PersonalFamily,
    config: Config,
    *,
    users: UserSelection = "all",
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote a family's models.

    Args:
        family: of the models.
        config: where Cassandra and Spark are.
        users: "all", "changed" since the family's last run, or these.
        engine: spark, or local: the same functions in this process, the same bytes.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
    """
    name, inputs = family.name, {"users": recorded_users(users), "engine": engine}
    with open_job(config, name, inputs, engine=engine, progress=progress, clock=clock) as job:
        selected = selected_users(job.database, name, users, job.run.started_at)
        to_learn, unchanged = selected, list[UserOutcome]()
        if users == "changed" and selected is not None:
            to_learn, unchanged = split_unchanged(job.database, name, selected)
            job.run.add_outcomes(unchanged)
        nobody = to_learn is not None and not to_learn  # None is everybody
        rows = [] if nobody else _learn(job, family, to_learn)
        with_sets = {UUID(row["user_id"]) for row in rows} | {row.user_id for row in unchanged}
        read = [(user, SETS) for user in with_sets]
        orphaned = orphaned_pointers(job.database, name, selected, read)
        too_few = [outcome_of(row) for row in rows if row["status"] == "not-learned"]
        retire_users(job, too_few, orphaned)
        finish_run(job, users)
    return job.run.report()


def _learn(job: Job, family: PersonalFamily, users: Sequence[UUID] | None) -> list[Row]:
    """Learn, judge and promote; the rows of all users with sets, without their models."""
    run, engine = job.run, engine_of(job)
    try:
        with run.step("newest set"):
            newest = newest_known_set_at(job, engine, users)
    except NotEnoughLabels as problem:
        run.status = "not-learned"
        run.reasons[str(problem)] += 1
        return []
    run.metrics |= {NEWEST_SET: newest.isoformat(), RECIPE: family.recipe}
    pointers = sorted(pointer_keys(job.database, family.name, users))
    serving = pointers_in_effect(job.database, pointers, family.name)
    task = partial(
        learned_rows,
        learn=family.learn,
        cutoff_s=evaluation_cutoff_s(newest),
        latest=latest_start(run.started_at),
    )
    with run.step("users"):
        pass_ = Pass(CONFIRMED_SETS, task, LEARNED, (USER_MODEL_WRITER,), USERS_PER_CALL)
        rows = engine.learn(sets_scope(job, users), pass_, run)
    job.progress.step(f"{family.name}: users learned", len(rows), len(rows))
    run.counts["sets"] += sum(row["sets"] for row in rows)
    with run.step("promote"):
        _promote(job, family, rows, serving)
    return rows


def _promote(
    job: Job,
    family: PersonalFamily,
    rows: Sequence[Row],
    serving: Mapping[UserKey, ServingVersion],
) -> None:
    """Judge the recipe, apply users' vetoes, move the pointers.

    `serving` is what served before they were learned.
    """
    run = job.run
    learned = [row for row in rows if row["status"] == "learned"]
    run.add_outcomes([outcome_of(row) for row in rows if row["status"] == "failed"])
    of_users = {UUID(row["user_id"]): evidence_of(row) for row in learned}
    failed = [UUID(row["user_id"]) for row in rows if row["status"] == "failed"]
    refusal = _judge(job, family, of_users, failed)
    if learned and refusal:
        run.status = "refused"
        run.add_outcomes([outcome_of(row, "refused", refusal) for row in learned])
        return
    vetoed = {str(user) for user, own in of_users.items() if own.vetoes}
    of_vetoed = [row for row in learned if row["user_id"] in vetoed]
    run.add_outcomes([outcome_of(row, "vetoed", VETOED) for row in of_vetoed])
    promote_users(job, [row for row in learned if row["user_id"] not in vetoed], serving)


def _judge(
    job: Job, family: PersonalFamily, of_users: Mapping[UUID, Evidence], failed: Sequence[UUID]
) -> str:
    """Why the recipe must not go live, "" when it may; its evidence goes into the run's metrics.

    What earlier runs know of users with evidence here, and of failed ones, does not count.
    """
    run = job.run
    evidence = Evidence.total(of_users.values())
    run.metrics |= evidence.as_metrics()
    known = [*(user for user, own in of_users.items() if own.sets), *failed]
    judged = evidence.topped_up(earlier_evidence(job.database, family.name, family.recipe, known))
    if judged != evidence:
        run.metrics[JUDGED] = judged.as_metrics()
    return judged.refusal(serving_evidence(job.database, family.name, family.recipe))
