"""`muvr jobs`: the records of runs, with the outcome for every user; and running one again."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from typing import Annotated, Any
from uuid import UUID

import typer

from muvr.context import open_context
from muvr.family_jobs import run_job
from muvr.options import AsJson, Conf
from muvr.scoreboard import show_run
from pipelines.lifecycle.scope import EngineName, UserSelection
from schemas.errors import BadInput, NotFound
from schemas.families import FAMILIES
from schemas.statuses import RunStatus
from schemas.times import server_time
from store.champions import Champions
from store.database import Database
from store.jobs import JobRun, JobRuns, UserOutcome, shown_status

INCOMPLETE: Sequence[RunStatus] = ("failed", "running")  # of such a run outcomes may be missing
CUT_SHORT = "ended before it recorded them all; name them:"
NONE_KEPT = (
    "has no outcome of anybody: no named user had sets that training can read, or their outcomes "
    "are gone, by erasure or after 90 days; name users who have sets:"
)
RunFamily = Annotated[str, typer.Argument(help="of which family it is a run")]
RunId = Annotated[UUID, typer.Argument(help="which run; `muvr jobs list` shows them")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Look at job runs, run one again.", no_args_is_help=True)
    group.command("list")(list_jobs)
    group.command("show")(show_job)
    group.command("rerun")(rerun)
    app.add_typer(group, name="jobs")


def list_jobs(
    family: Annotated[str, typer.Argument(help="a family, or `all`")] = "all",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """List the last runs, of models, the mart and replays, newest first.

    Example: `muvr jobs list exercise`
    """
    context = open_context(conf, as_json=as_json)
    runs = context.run_async(lambda database: _newest(database, family))
    head = ("family", "run_id", "status", "started_at", "counts")
    if not runs:
        context.terminal.say("No run yet." if family == "all" else f"No run of {family} yet.")
    now = server_time()
    rows = [[display_row(run, now)[name] for name in head] for run in runs]
    context.terminal.table("runs", head, rows)
    context.terminal.answer(runs)


def show_job(family: RunFamily, run: RunId, conf: Conf = None, as_json: AsJson = False) -> None:
    """Show one run and what it came to for every user.

    Example: `muvr jobs show exercise 01a1fb67-1800-7000-8000-000000000000`
    """
    context = open_context(conf, as_json=as_json)
    row, outcomes = context.run_async(lambda database: _run_and_outcomes(database, family, run))
    answer = {**row, "users": [outcome._asdict() for outcome in outcomes]}
    show_run(context.terminal, display_row(answer, server_time()))
    head = ("user_id", "model_id", "status", "reason", "version")
    context.terminal.table(
        "users", head, [[outcome[name] for name in head] for outcome in answer["users"]]
    )
    context.terminal.answer(answer)


def rerun(
    family: RunFamily,
    run: RunId,
    failed: Annotated[bool, typer.Option("--failed", help="only users who failed")] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Run a job again for the users of an earlier run, with its cut-off; their newest sets count.

    A run for changed users that failed or was killed is repeated for those who changed until now.

    Users who fail again are counted, and `muvr jobs show` lists them; the exit code stays 0.

    Example: `muvr jobs rerun exercise 01a1fb67-1800-7000-8000-000000000000 --failed`
    """
    context = open_context(conf, as_json=as_json)
    earlier, outcomes = context.run_async(lambda database: _read(database, family, run))
    selection = users_to_rerun(earlier, outcomes, only_failed=failed)
    report = run_job(context, family, selection, engine_named_in(earlier), cutoff_of(earlier))
    show_run(context.terminal, asdict(report))
    context.terminal.answer(asdict(report))


def users_to_rerun(
    earlier: JobRun, outcomes: Sequence[UserOutcome], *, only_failed: bool
) -> UserSelection:
    """The users of a repeated run: everybody if the first run learned all, else those it recorded.

    One that failed or was killed may have recorded some of its users only: instead of those, where
    it was for changed users, whoever changed since the last run that got through. Batch families
    and experiments always learn from everybody.

    Raises:
        BadInput: nobody of that run failed, or it was for named users and has not recorded them.
    """
    if only_failed:
        failed = sorted({outcome.user_id for outcome in outcomes if outcome.status == "failed"})
        if not failed:
            raise BadInput(f"Nobody failed in run {earlier.run_id}.", field="--failed")
        return failed
    family, users = FAMILIES.get(earlier.family), earlier.inputs.get("users")
    if users == "all" or family is None or family.kind == "batch":
        return "all"
    recorded = sorted({outcome.user_id for outcome in outcomes})
    whole = earlier.status not in INCOMPLETE or len(recorded) == users
    if recorded and whole:
        return recorded
    if users == "changed":
        return "changed"
    raise BadInput(
        f"Run {earlier.run_id} was for {users} named users and {NONE_KEPT if whole else CUT_SHORT} "
        f"muvr train {earlier.family} --users ID,…",
        field="run",
        value=str(earlier.run_id),
    )


def engine_named_in(earlier: JobRun) -> EngineName:
    """The engine of a run; Spark where it was not recorded."""
    return "local" if earlier.inputs.get("engine") == "local" else "spark"


def cutoff_of(earlier: JobRun) -> datetime | None:
    """The cut-off that a run was given; None when it chose its own."""
    text = str(earlier.inputs.get("cutoff_at"))
    return None if text == "None" else datetime.fromisoformat(text)


def display_row(run: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A run's row for display: its status says whether it was withdrawn since, or looks dead."""
    withdrawn = ", withdrawn" if run["withdrawn"] else ""
    return {**run, "status": shown_status(run, now) + withdrawn}


async def _newest(database: Database, family: str) -> list[dict[str, Any]]:
    """The last runs of a family, or of all that have run, newest first.

    Raises:
        BadInput: there is no such family, and nothing of that name has run.
    """
    known = await JobRuns(database).families()
    if family != "all" and family not in {*known, *FAMILIES}:
        raise BadInput(
            f"Nothing called {family} has run; there is {', '.join(known) or 'no run yet'}.",
            field="family",
            value=family,
        )
    names = known if family == "all" else [family]
    runs = await asyncio.gather(*(JobRuns(database).newest(name) for name in names))
    withdrawn = set(await Champions(database).withdrawn())
    newest_first = sorted(chain.from_iterable(runs), key=lambda run: run.started_at, reverse=True)
    return [_run_row(run, withdrawn) for run in newest_first]


def _run_row(run: JobRun, withdrawn: Collection[UUID]) -> dict[str, Any]:
    """A run, and whether an operator has withdrawn it."""
    return {**run._asdict(), "withdrawn": run.run_id in withdrawn}


async def _run_and_outcomes(
    database: Database, family: str, run_id: UUID
) -> tuple[dict[str, Any], list[UserOutcome]]:
    """A run, with whether it was withdrawn, and the outcomes of its users."""
    run, outcomes = await _read(database, family, run_id)
    return _run_row(run, await Champions(database).withdrawn()), outcomes


async def _read(database: Database, family: str, run_id: UUID) -> tuple[JobRun, list[UserOutcome]]:
    """A run, and the outcomes of its users.

    Raises:
        NotFound: there is no such run.
    """
    run = await JobRuns(database).read(family, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id} of {family}; see `muvr jobs list {family}`")
    return run, await JobRuns(database).users(run_id)
