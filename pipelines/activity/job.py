"""The activity family's job: stretches in Cassandra to one model of exercise or idle for everybody.

The job reads the stretches of the same users three times. The first pass gives their sums, from
which the discriminant comes. The second gives border examples: candidates around first guesses by a
discriminant that was learned without the day. The third counts seconds right and wrong of a model
that was learned without the user, borders included, as one serves. The second pass reads each
user's newest days until all users together have given 600 sets.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any
from uuid import UUID

from models.activity.codec import from_bytes, to_bytes
from models.activity.examples import EXERCISE, IDLE
from models.activity.features import ACTIVITY_VERSION
from models.activity.fit import fit_discriminant
from models.activity.model import ActivityModel
from models.activity.settings import SETTINGS
from pipelines.activity.rows import (
    GIVEN,
    JUDGED,
    RUNGS,
    TAUGHT,
    borders_of,
    exam_of,
    given_row,
    judged_row,
    lesson_of,
    lessons_of,
    ordered,
    taught_row,
    total_of,
)
from pipelines.activity.seconds import Seconds, f1, plus
from pipelines.activity.stretches import STRETCHES
from pipelines.keys import IncumbentBytes, Row, UserKey
from pipelines.lifecycle.engines import Pass, engine_of
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import EngineName, Job, opened_job, recorded_users
from pipelines.lifecycle.members import members_of
from pipelines.lifecycle.pointers import (
    TAKEN_BACK,
    move_pointer,
    read_global_incumbents,
)
from pipelines.lifecycle.runs import Clock, Run, RunReport, server_time
from pipelines.lifecycle.scope import AskedUsers, is_new, nothing_new
from pipelines.lifecycle.user_models import outcome_of
from schemas.config import Config
from schemas.errors import BadModelBytes, CannotLearn
from schemas.ids import version_of
from schemas.inputs import LAYOUTS, InputLayout
from schemas.layout import GLOBAL_OWNER
from schemas.progress import Progress
from schemas.statuses import RunStatus
from schemas.topics import Topic
from store.champions import Challenger, Champions
from store.database import Database
from store.jobs import UserOutcome
from store.models import Models, StoredModel
from store.stretches import Stretches

FAMILY = "activity"
TOPICS: tuple[Topic, ...] = ("sets", "stretches", "erased")


def train_activity(
    config: Config,
    *,
    users: AskedUsers = "all",
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote the model that finds sets.

    Args:
        config: where Cassandra and Spark are.
        users: "changed" does nothing where no set changed since the last run; the model is
            everybody's, so that anything else learns it from the same users.
        engine: spark, or local: the same functions in this process, the same bytes.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
        DatabaseUnavailable: Cassandra does not answer.
    """
    inputs = {"users": recorded_users(users), "engine": engine}
    with opened_job(config, FAMILY, inputs, engine=engine, progress=progress, clock=clock) as job:
        keys = asyncio.run(Stretches(job.database).keys())
        same = users == "changed" and not is_new(job.database, FAMILY, TOPICS, job.run.started_at)
        if not keys or same:
            job.run.status = "nothing-to-do"
        else:
            outcomes = _learn(job, keys)
            failed = [one for one in job.run.outcomes if one.status == "failed"]
            same = outcomes == {"unchanged"} and nothing_new(job.database, FAMILY, failed)
            if users == "changed" and same:
                job.run.status = "nothing-to-do"  # the last run had read what changed
        job.run.mark_read()
    return job.run.report()


def _learn(job: Job, keys: Sequence[UserKey]) -> set[str]:
    """Run the three passes; what became of each layout's model."""
    run, engine = job.run, engine_of(job)
    members = members_of(keys, job.config.training.seed)
    with run.step("sums"):
        given = ordered(engine.over(members, Pass(STRETCHES, given_row, GIVEN)))
    job.progress.step("activity: users read", len(given), len(members))
    run.add_outcomes([_outcome(row) for row in given if row["status"] != "learned"])
    good = [row for row in given if row["status"] == "learned"]
    run.counts["stretches"] += sum(row["stretches"] for row in good)
    if not good:
        run.status = "not-learned"
        return set()
    with run.step("borders"):
        lesson = lesson_of(good)
        look = Pass(STRETCHES, partial(taught_row, lesson=lesson), TAUGHT)
        taught = ordered(engine.over(_keys(good), look))
    run.add_outcomes([_outcome(row) for row in taught if row["status"] != "learned"])
    with run.step("judge"):
        exam = exam_of(lesson, taught, _incumbents(job))
        look = Pass(STRETCHES, partial(judged_row, exam=exam), JUDGED)
        judged = ordered(engine.over(_keys(taught), look))
    run.add_outcomes([_outcome(row) for row in judged])
    run.require_lease()
    with run.step("promotion"):
        outcomes: set[str] = set()
        for layout in LAYOUTS:
            passes = (good, taught, judged)
            mine = [[row for row in rows if row["model_id"] == layout] for rows in passes]
            if mine[0]:
                outcomes.add(_promote_layout(job, layout, *mine))
    run.status = _status(outcomes)
    return outcomes


def fit_everybody(
    given: Sequence[Row], taught: Sequence[Row], layout: InputLayout
) -> ActivityModel:
    """The model of one layout, from the rows of the first two passes in order.

    Raises:
        NotEnoughLabels: less than 20 s of exercise or of idle.
    """
    statistics = total_of(given, layout)
    if statistics is None:
        raise CannotLearn(f"nobody has stretches of {layout}")
    model = fit_discriminant(statistics, layout)
    start, end = borders_of([one for _, one in lessons_of(taught, layout)])
    return replace(model, start=start, end=end)


def judged_of(judged: Sequence[Row]) -> dict[str, Seconds]:
    """Seconds of every rung over all users."""
    found: dict[str, Seconds] = dict.fromkeys(RUNGS, (0, 0, 0))
    for row in judged:
        said = json.loads(row["judged"]) if row["judged"] else {}
        found = {rung: plus(s, tuple(said.get(rung, (0, 0, 0)))) for rung, s in found.items()}
    return found


def objection(judged: Mapping[str, Seconds], margin: float) -> str:
    """Why a model may not serve, "" when it may.

    On people or days that it did not see it must beat the rule that needs no learning. On those
    after the newest set of what serves now it must not be worse than that by more than a margin.

    >>> objection({"own": (9, 1, 1), "rhythm": (7, 1, 3), "own_later": (0, 0, 0),
    ...            "incumbent": (0, 0, 0)}, 0.01)
    ''
    """
    if not sum(judged["own"]):
        return "no other person and no other day to judge by"
    own, rhythm = f1(judged["own"]), f1(judged["rhythm"])
    if own <= rhythm:
        return f"F1 of seconds {own:.3f}, without learning {rhythm:.3f}"
    later, incumbent = f1(judged["own_later"]), f1(judged["incumbent"])
    if sum(judged["incumbent"]) and later < incumbent - margin:
        return f"F1 of later seconds {later:.3f}, what serves now {incumbent:.3f}"
    return ""


def _incumbents(job: Job) -> dict[str, IncumbentBytes]:
    """The models that serve now, by layout.

    One that cannot be decoded is left out, and noted in the run's reasons: were it an error, no run
    could ever replace that model.
    """
    found: dict[str, IncumbentBytes] = {}
    for layout, held in asyncio.run(read_global_incumbents(job.database, FAMILY)).items():
        try:
            from_bytes(held[0])
        except BadModelBytes as problem:
            sentence = f"judged without what served before, which cannot be read: {problem}"
            job.run.reasons[f"{layout}: {sentence}"] += 1
        else:
            found[layout] = held
    return found


def _promote_layout(
    job: Job,
    layout: InputLayout,
    given: Sequence[Row],
    taught: Sequence[Row],
    judged: Sequence[Row],
) -> str:
    """Fit, keep and promote one layout's model; the outcome, which the run's metrics tell too."""
    run, seconds = job.run, judged_of(judged)
    said: dict[str, Any] = {"members": len(given), "seconds": seconds}
    said["f1"] = {rung: round(f1(s), 4) for rung, s in seconds.items() if sum(s)}
    try:
        content = to_bytes(fit_everybody(given, taught, layout))
    except CannotLearn as problem:
        run.metrics[layout] = said | {"outcome": "not-learned"}
        run.reasons[f"{layout}: {problem}"] += 1
        return "not-learned"
    reason = objection(seconds, job.config.training.gate_margin)
    stored = _stored(run, layout, content, given, said)
    outcome, reason = asyncio.run(_keep_and_promote(job.database, stored, reason))
    if reason:
        run.reasons[f"{layout}: {reason}"] += 1
    run.metrics[layout] = said | {"outcome": outcome}
    return outcome


def _stored(
    run: Run, layout: InputLayout, content: bytes, given: Sequence[Row], said: Mapping[str, Any]
) -> StoredModel:
    """A model with its provenance."""
    sha256 = hashlib.sha256(content).digest()
    digests = "\n".join(row["digest"] for row in given)
    manifest = {
        "level": "global",
        "labels": [EXERCISE, IDLE],
        "features": ACTIVITY_VERSION,
        "settings": asdict(SETTINGS),
        "trained_until": max(row["until"] for row in given),
        "data_digest": hashlib.sha256(digests.encode()).hexdigest(),
        "environment": environment(),
        "metrics": dict(said),
        "sha256": sha256.hex(),
    }
    names = (GLOBAL_OWNER, layout, FAMILY, version_of(sha256))
    return StoredModel(*names, content, manifest, sha256, run.run_id, run.started_at)


def _status(outcomes: set[str]) -> RunStatus:
    """The best of what became of the layouts."""
    if outcomes & {"promoted", "unchanged"}:
        return "done"
    return "refused" if outcomes & {"refused", TAKEN_BACK} else "not-learned"


async def _keep_and_promote(
    database: Database, stored: StoredModel, reason: str
) -> tuple[str, str]:
    """Keep a model, and promote it unless there is a reason against it.

    Returns:
        outcome and reason, as of `move_pointer`; "refused" with the reason that was given.
    """
    await Models(database).put(stored)
    if reason:
        return "refused", reason
    challenger = Challenger.of(stored)
    return await move_pointer(Champions(database), challenger, server_time())


def _keys(rows: Sequence[Row]) -> list[UserKey]:
    """The users whose rows were learned."""
    return [(UUID(row["user_id"]), row["model_id"]) for row in rows if row["status"] == "learned"]


def _outcome(row: Row) -> UserOutcome:
    return outcome_of(row, metrics=row.get("judged") or "{}")
