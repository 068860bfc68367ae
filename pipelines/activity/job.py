"""The activity family's job: stretches in Cassandra to one global model of exercise or idle.

The job reads the stretches of the same users three times. The first pass gives sums, to which the
discriminant is fitted. The second gives border examples: candidates around first guesses by a
discriminant that was learned without the day. The third evaluates, second by second, a model that
was learned without the user, borders included. The second pass reads each user's newest days until
all users together have given 600 sets.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from models.activity.codec import from_bytes, to_bytes
from models.activity.examples import EXERCISE, IDLE
from models.activity.features import ACTIVITY_VERSION
from models.activity.fit import fit_discriminant
from models.activity.model import ActivityModel
from models.activity.settings import SETTINGS
from pipelines.activity.gate import UNCOMPARED, pooled_seconds, refusal_reason
from pipelines.activity.rows import (
    BORDERS,
    EVALUATED,
    SUMS,
    border_context,
    border_examples_of,
    borders_row,
    evaluation_context,
    evaluation_row,
    fit_borders,
    ordered,
    sums_row,
    total_of,
)
from pipelines.activity.seconds import f1
from pipelines.activity.stretches import LABELLED_STRETCHES
from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import Pass, engine_of
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.global_retirement import comparable, must_go, retire_global
from pipelines.lifecycle.incumbents import IncumbentBytes
from pipelines.lifecycle.job import EngineName, Job, open_job, recorded_users
from pipelines.lifecycle.members import drawn_from, members_of
from pipelines.lifecycle.pointers import (
    WITHDRAWN,
    MoveOutcome,
    move_global,
    read_global_incumbents,
    served_versions,
)
from pipelines.lifecycle.recent import METRIC, recent_inputs
from pipelines.lifecycle.retries import same_outcomes
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import Changes, UserSelection, changes
from pipelines.lifecycle.user_models import outcome_of
from schemas.config import Config
from schemas.errors import CannotLearn
from schemas.inputs import LAYOUTS, InputLayout
from schemas.progress import Progress
from schemas.statuses import RunStatus, UserStatus
from schemas.times import Clock, server_time
from schemas.topics import ERASURES, SETS, STRETCHES, Topic
from store.database import Database
from store.jobs import UserOutcome
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger
from store.stretches import Stretches

FAMILY = "activity"
REPLACED: Set[UserStatus] = {"promoted", "unchanged"}  # then the model that serves is of now
TOPICS: tuple[Topic, ...] = (SETS, STRETCHES, *ERASURES)


@dataclass(frozen=True, slots=True)
class PassRows:
    """What the three passes gave, each in the order of its users.

    Attributes:
        sums, borders: of users with stretches.
        evaluated: of those whose borders were read, with reasons where a user failed.
    """

    sums: Sequence[Row]
    borders: Sequence[Row]
    evaluated: Sequence[Row]

    def of_layout(self, layout: InputLayout) -> "PassRows":
        """The rows of one layout."""
        passes = (self.sums, self.borders, self.evaluated)
        return PassRows(*([row for row in rows if row["model_id"] == layout] for rows in passes))


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
    with open_job(config, FAMILY, inputs, engine=engine, progress=progress, clock=clock) as job:
        job.run.metrics[METRIC] = recent_inputs(job.database, TOPICS, job.run.started_at)
        keys = asyncio.run(Stretches(job.database).keys())
        going = must_go(job.database, (FAMILY,), job.run.started_at)
        found: Changes = "new"
        if users == "changed" and not going:
            found = changes(job.database, FAMILY, TOPICS, job.run.started_at)
        skipped = found != "new"
        outcomes: dict[InputLayout, MoveOutcome] = {}
        if not keys or skipped:
            job.run.status = "nothing-to-do"
        if not skipped:
            outcomes = _learn(job, keys, going) if keys else {}
            retire_global(job, (FAMILY,), going)
            failed = [outcome for outcome in job.run.outcomes if outcome.status == "failed"]
            unchanged = {outcome.status for outcome in outcomes.values()} == {"unchanged"}
            if users == "changed" and unchanged and same_outcomes(job.database, FAMILY, failed):
                job.run.status = "nothing-to-do"  # the last run had already read what changed
        if found != "read" and not any(outcome.overtaken for outcome in outcomes.values()):
            job.run.mark_read()  # else nothing would be new to the next run
    return job.run.report()


def _learn(
    job: Job, keys: Sequence[UserKey], going: Set[InputLayout]
) -> dict[InputLayout, MoveOutcome]:
    """Run the three passes; the outcomes of the layouts' models."""
    run, engine = job.run, engine_of(job)
    members = members_of(keys, job.config.training.seed)
    with run.step("sums"):
        rows = ordered(engine.collect(members, Pass(LABELLED_STRETCHES, sums_row, SUMS)))
    job.progress.step("activity: users read", len(rows), len(members))
    run.add_outcomes([_outcome(row) for row in rows if row["status"] != "learned"])
    sums_rows = [row for row in rows if row["status"] == "learned"]
    run.counts["stretches"] += sum(row["stretches"] for row in sums_rows)
    if not sums_rows:
        run.status = "not-learned"
        return {}
    with run.step("borders"):
        context = border_context(sums_rows)
        pass_ = Pass(LABELLED_STRETCHES, partial(borders_row, context=context), BORDERS)
        border_rows = ordered(engine.collect(_keys(sums_rows), pass_))
    run.add_outcomes([_outcome(row) for row in border_rows if row["status"] != "learned"])
    with run.step("judge"):
        served = served_versions(job.database, (FAMILY,))
        incumbents = _incumbents(job, going)
        evaluation = evaluation_context(context, border_rows, incumbents)
        pass_ = Pass(LABELLED_STRETCHES, partial(evaluation_row, context=evaluation), EVALUATED)
        evaluated_rows = ordered(engine.collect(_keys(border_rows), pass_))
    run.add_outcomes([_outcome(row) for row in evaluated_rows])
    run.require_lease()
    with run.step("promotion"):
        every = PassRows(sums_rows, border_rows, evaluated_rows)
        outcomes = {
            layout: _promote_layout(job, layout, rows, served, replaces=layout in incumbents)
            for layout in LAYOUTS
            if (rows := every.of_layout(layout)).sums
        }
    run.status = _status({outcome.status for outcome in outcomes.values()})
    return outcomes


def fit_layout(
    sums_rows: Sequence[Row], border_rows: Sequence[Row], layout: InputLayout
) -> ActivityModel:
    """The model of one layout, from the rows of the first two passes in order.

    Raises:
        NotEnoughLabels: less than 20 s of exercise or of idle.
    """
    statistics = total_of(sums_rows, layout)
    if statistics is None:
        raise CannotLearn(f"nobody has stretches of {layout}")
    model = fit_discriminant(statistics, layout)
    days = [examples for _, examples in border_examples_of(border_rows, layout)]
    start, end = fit_borders(days)
    return replace(model, start=start, end=end)


def _incumbents(job: Job, going: Set[InputLayout]) -> dict[str, IncumbentBytes]:
    """The serving models, by layout, without those that must go.

    One that cannot be decoded is left out, and recorded as a reason.
    """
    incumbents: dict[str, IncumbentBytes] = {}
    serving = asyncio.run(read_global_incumbents(job.database, FAMILY))
    for layout, stored in comparable(job, serving, going).items():
        model, problem = stored.decoded(from_bytes)
        if model is None:
            job.run.reasons[f"{layout}: {problem}"] += 1
        else:
            incumbents[layout] = stored
    return incumbents


def _promote_layout(
    job: Job,
    layout: InputLayout,
    rows: PassRows,
    served: Mapping[ModelKey, str],
    *,
    replaces: bool,
) -> MoveOutcome:
    """Fit, store and promote one layout's model; the outcome, which is in the run's metrics too.

    `rows` are those of the layout. `served` is what served before the comparison, and `replaces`
    says whether that could be compared.
    """
    run, seconds = job.run, pooled_seconds(rows.evaluated)
    metrics: dict[str, Any] = {"members": len(rows.sums), "seconds": seconds}
    metrics["f1"] = {rung: round(f1(s), 4) for rung, s in seconds.items() if sum(s)}
    try:
        content = to_bytes(fit_layout(rows.sums, rows.borders, layout))
    except CannotLearn as problem:
        run.metrics[layout] = metrics | {"outcome": "not-learned"}
        run.reasons[f"{layout}: {problem}"] += 1
        return MoveOutcome("not-learned", str(problem))
    reason = refusal_reason(seconds, job.config.training.gate_margin)
    stored = _stored_model(job, layout, content, rows.sums, metrics)
    outcome = asyncio.run(_store_and_promote(job.database, stored, reason, served))
    uncompared = outcome.status == "promoted" and replaces and not sum(seconds["incumbent"])
    sentences = (outcome.reason, UNCOMPARED if uncompared else "")
    run.reasons.update(f"{layout}: {sentence}" for sentence in sentences if sentence)
    run.metrics[layout] = metrics | {"outcome": outcome.status}
    return outcome


def _stored_model(
    job: Job,
    layout: InputLayout,
    content: bytes,
    sums_rows: Sequence[Row],
    metrics: Mapping[str, Any],
) -> StoredModel:
    """A model with its provenance."""
    digests = "\n".join(row["digest"] for row in sums_rows)
    manifest = {
        "level": "global",
        "labels": [EXERCISE, IDLE],
        "features": ACTIVITY_VERSION,
        "settings": asdict(SETTINGS),
        "drawn": drawn_from((row["user_id"] for row in sums_rows), job.config.training.seed),
        "trained_until": max(row["until"] for row in sums_rows),
        "data_digest": hashlib.sha256(digests.encode()).hexdigest(),
        "environment": environment(),
        "metrics": dict(metrics),
    }
    key = ModelKey.of_global(layout, FAMILY)
    return StoredModel.of(key, content, manifest, job.run.run_id, job.run.started_at)


def _status(outcomes: Set[UserStatus]) -> RunStatus:
    """The status of a run, from the best outcome of the layouts."""
    if outcomes & REPLACED:
        return "done"
    return "refused" if outcomes & {"refused", "overtaken", WITHDRAWN} else "not-learned"


async def _store_and_promote(
    database: Database, stored: StoredModel, reason: str, served: Mapping[ModelKey, str]
) -> MoveOutcome:
    """Store a model, and promote it unless there is a reason to refuse it.

    Returns:
        as of `move_global`; or refused, with that reason.
    """
    await Models(database).put(stored)
    if reason:
        return MoveOutcome("refused", reason)
    return await move_global(database, Challenger.of(stored), server_time(), served)


def _keys(rows: Sequence[Row]) -> list[UserKey]:
    """The keys of the rows that were learned."""
    return [(UUID(row["user_id"]), row["model_id"]) for row in rows if row["status"] == "learned"]


def _outcome(row: Row) -> UserOutcome:
    return outcome_of(row, metrics=row.get("seconds") or "{}")
