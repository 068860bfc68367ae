"""Withdrawing a run: nothing of it serves from then on, and what served before does."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from schemas.errors import BadInput, NotFound
from schemas.families import FAMILIES
from schemas.layout import GLOBAL_OWNER
from schemas.times import server_time
from store.champions import Champions
from store.database import Database
from store.jobs import JobRun, JobRuns
from store.live_runs import LiveRuns
from store.models import ModelKey


async def withdraw_run(database: Database, run: UUID, reason: str) -> tuple[str, dict[str, Any]]:
    """Withdraw a run: its models stop serving, and a batch family's previous run is live again.

    Returns:
        the result as a sentence and as JSON: for a family of models how many the run promoted and
        retired, for a batch family the earlier runs that are still stored.

    Raises:
        NotFound: there is no such run.
        BadInput: it is of a job whose runs promote nothing; it is not recorded as withdrawn.
    """
    job_run = await JobRuns(database).find(run)
    if job_run is None:
        raise NotFound(f"There is no run {run}; `muvr jobs list` shows them.")
    family = FAMILIES.get(job_run.family.partition("-")[0])  # exercise-averaged is exercise's
    if family is None:
        raise BadInput(
            f"run {run} is one of {job_run.family}, which has no models to go back to",
            field="--run",
            value=run,
            next_step=f"Put right what {job_run.family} reads, and run it again.",
        )
    await Champions(database).withdraw(run, reason, server_time())
    sentence, result = await (
        _live_before(database, job_run)
        if family.kind == "batch"
        else _models_before(database, job_run)
    )
    return sentence, {"withdrawn": run, "family": job_run.family, **result}


async def _live_before(database: Database, job_run: JobRun) -> tuple[str, dict[str, Any]]:
    """Let the run before a batch family's withdrawn one be live."""
    runs, family, now = LiveRuns(database), job_run.family, server_time()
    live = await runs.read(family)
    if live is not None and live.run_id == job_run.run_id:
        live = await runs.fall_back(family, job_run.run_id, now)
    if live is None:
        sentence = f"No run of {family} is live: none before it is kept. The next run's rows are."
        return sentence, {"live": None, "kept": []}
    kept = [kept_run.run_id for kept_run in await runs.kept(family, live.run_id, now)]
    sentence = f"Of {family} run {live.run_id} is live, of {live.as_of:%Y-%m-%d %H:%M} UTC."
    behind = f"{len(kept)} more to go back to." if kept else "No earlier one is kept."
    return f"{sentence} {behind}", {"live": live.run_id, "kept": kept}


async def _models_before(database: Database, job_run: JobRun) -> tuple[str, dict[str, Any]]:
    """What a withdrawn run of a family of models had promoted, and what serves instead."""
    promoted, retired = (job_run.counts.get(status, 0) for status in ("promoted", "retired"))
    moved = await _global_models_moved(database, job_run.run_id)
    result = {"promoted": promoted, "retired": retired, "global": [key._asdict() for key in moved]}
    subject = f"Run {job_run.run_id} of {job_run.family}"
    has_ended = job_run.status not in ("running", "failed")
    if has_ended and not (promoted or retired or moved):
        return f"{subject} promoted and retired no model: what serves stays.", result
    # counts are recorded when a run ends, and those of one that did not end well may be behind
    at_least = "" if has_ended else "at least "
    users = f"promoted {at_least}{promoted} and retired {at_least}{retired} models of users"
    names = ", ".join(f"{key.family} for {key.model_id}" for key in moved)
    everybody = f"; it moved the global {names}" if names else ""
    then = (
        "The models before those of this run serve; who has none before is served by the global "
        "model, or by none."
    )
    return f"{subject} {users}{everybody}. {then}", result


async def _global_models_moved(database: Database, run: UUID) -> Sequence[ModelKey]:
    """The global models that a run promoted or retired, as far as their pointers remember."""
    pointers = await Champions(database).of_owner(GLOBAL_OWNER)
    return [
        pointer.key
        for pointer in pointers
        if any(promotion.run_id == run for promotion in pointer.promotions)
    ]
