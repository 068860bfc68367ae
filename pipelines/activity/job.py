"""The activity family's job: stretches in Cassandra to one global model of exercise or idle.

The job chooses the newest stretches of some users and reads them three times. The first pass gives
sums, to which the discriminant is fitted. The second gives border examples: candidates around first
guesses by a discriminant that was learned without the day. The third evaluates, second by second, a
model that was learned without the user, borders included. The second pass decodes each user's
newest days until all users together have given 600 sets.
"""

import asyncio
from collections.abc import Iterable, Sequence, Set
from functools import partial
from uuid import UUID

from models.activity.codec import from_bytes
from pipelines.activity.fits import border_context, evaluation_context
from pipelines.activity.promotion import PassRows, promote_layout
from pipelines.activity.rows import (
    BORDERS,
    EVALUATED,
    SUMS,
    borders_row,
    evaluation_row,
    sums_row,
)
from pipelines.activity.stretches import newest_stretches
from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.global_retirement import comparable, must_go, retire_global
from pipelines.lifecycle.incumbents import IncumbentBytes
from pipelines.lifecycle.job import Job, open_job, recorded_users
from pipelines.lifecycle.members import members_of
from pipelines.lifecycle.pointers import (
    WITHDRAWN,
    MoveOutcome,
    read_global_incumbents,
    served_versions,
)
from pipelines.lifecycle.retries import same_outcomes
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import EngineName, UserSelection, record_changes
from pipelines.lifecycle.user_models import outcome_of
from schemas.config import Config
from schemas.families import ACTIVITY
from schemas.inputs import LAYOUTS, InputLayout
from schemas.progress import Progress
from schemas.statuses import RunStatus, UserStatus
from schemas.times import Clock, server_time
from schemas.topics import ERASURES, SETS, STRETCHES, Topic
from store.jobs import UserOutcome
from store.stretches import Stretches

REPLACED: Set[UserStatus] = {"promoted", "unchanged"}  # then the model that serves is of now
TOPICS: tuple[Topic, ...] = (SETS, STRETCHES, *ERASURES)


def train_activity(
    config: Config,
    *,
    users: UserSelection = "all",
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote the model that finds sets.

    Args:
        config: where Cassandra and Spark are.
        users: "changed" does nothing where no set changed since the last run, unless the model
            that serves must go; anything else learns the model from the same users, as it is
            global.
        engine: spark, or local: the same functions in this process, the same bytes.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
        DatabaseUnavailable: Cassandra does not answer.
    """
    inputs = {"users": recorded_users(users), "engine": engine}
    with open_job(config, ACTIVITY, inputs, engine=engine, progress=progress, clock=clock) as job:
        going = must_go(job.database, (ACTIVITY,), job.run.started_at)
        changed, overtaken = users == "changed", False
        found = record_changes(job.database, job.run, TOPICS, only_changed=changed and not going)
        if found == "new":
            overtaken = _renew(job, going, only_changed=changed)
        else:
            job.run.status = "nothing-to-do"
        if found != "read" and not overtaken:
            job.run.mark_read()  # else nothing would be new to the next run
    return job.run.report()


def _renew(job: Job, going: Set[InputLayout], *, only_changed: bool) -> bool:
    """Learn the models, and retire those that must go; whether one was overtaken."""
    keys = asyncio.run(Stretches(job.database).keys())
    outcomes: dict[InputLayout, MoveOutcome] = {}
    if keys:
        outcomes = _learn(job, keys, going)
    else:
        job.run.status = "nothing-to-do"
    retire_global(job, (ACTIVITY,), going)
    failed = [outcome for outcome in job.run.outcomes if outcome.status == "failed"]
    unchanged = {outcome.status for outcome in outcomes.values()} == {"unchanged"}
    if only_changed and unchanged and same_outcomes(job.database, ACTIVITY, failed):
        job.run.status = "nothing-to-do"  # the last run had already read what changed
    return any(outcome.overtaken for outcome in outcomes.values())


def _learn(
    job: Job, keys: Sequence[UserKey], going: Set[InputLayout]
) -> dict[InputLayout, MoveOutcome]:
    """Run the three passes; the outcomes of the layouts' models."""
    run, engine = job.run, engine_of(job)
    members = members_of(keys, job.config.training.seed)
    with run.step("sums"):
        stretches = newest_stretches(job.database, members)
        rows = _ordered(engine.collect(stretches, sums_row, SUMS))
    job.progress.step("activity: users read", len(rows), len(members))
    run.add_outcomes([_outcome(row) for row in rows if row["status"] != "learned"])
    sums_rows = [row for row in rows if row["status"] == "learned"]
    run.counts["stretches"] += sum(row["stretches"] for row in sums_rows)
    if not sums_rows:
        run.status = "not-learned"
        return {}
    with run.step("borders"):
        context = border_context(sums_rows)
        pass_ = partial(borders_row, context=context)
        border_rows = _ordered(engine.collect(stretches.of(_keys(sums_rows)), pass_, BORDERS))
    run.add_outcomes([_outcome(row) for row in border_rows if row["status"] != "learned"])
    with run.step("judge"):
        served = served_versions(job.database, (ACTIVITY,))
        incumbents = _incumbents(job, going)
        evaluation = evaluation_context(context, border_rows, incumbents)
        pass_ = partial(evaluation_row, context=evaluation)
        judged = stretches.of(_keys(border_rows))
        evaluated_rows = _ordered(engine.collect(judged, pass_, EVALUATED))
    run.add_outcomes([_outcome(row) for row in evaluated_rows])
    run.require_lease()
    with run.step("promotion"):
        every = PassRows(sums_rows, border_rows, evaluated_rows)
        outcomes = {
            layout: promote_layout(job, layout, rows, served, replaces=layout in incumbents)
            for layout in LAYOUTS
            if (rows := every.of_layout(layout)).sums
        }
    run.status = _status({outcome.status for outcome in outcomes.values()})
    return outcomes


def _ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of their users: the order of a float sum decides its last bits."""
    return sorted(rows, key=lambda row: (row["user_id"], row["model_id"]))


def _incumbents(job: Job, going: Set[InputLayout]) -> dict[str, IncumbentBytes]:
    """The serving models, by layout, without those that must go.

    One that cannot be decoded is left out, and recorded as a reason.
    """
    incumbents: dict[str, IncumbentBytes] = {}
    serving = asyncio.run(read_global_incumbents(job.database, ACTIVITY))
    for layout, stored in comparable(job, serving, going).items():
        model, problem = stored.decoded(from_bytes)
        if model is None:
            job.run.reasons[f"{layout}: {problem}"] += 1
        else:
            incumbents[layout] = stored
    return incumbents


def _status(outcomes: Set[UserStatus]) -> RunStatus:
    """The status of a run, from the best outcome of the layouts."""
    if outcomes & REPLACED:
        return "done"
    return "refused" if outcomes & {"refused", "overtaken", WITHDRAWN} else "not-learned"


def _keys(rows: Sequence[Row]) -> list[UserKey]:
    """The keys of the rows that were learned."""
    return [(UUID(row["user_id"]), row["model_id"]) for row in rows if row["status"] == "learned"]


def _outcome(row: Row) -> UserOutcome:
    return outcome_of(row, metrics=row.get("seconds") or "{}")
