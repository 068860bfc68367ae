"""`muvr jobs`: what ran, on what, and what it came to for every user."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Literal
from uuid import UUID

import typer

from muvr.context import open_context
from muvr.options import AsJson, Conf
from muvr.train import TrainingEngine, run_job, show_run
from schemas.errors import BadInput, NotFound
from schemas.families import FAMILIES
from store.champions import Champions
from store.database import Database
from store.jobs import JobRun, JobRuns, UserOutcome

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
    context.terminal.table("runs", head, [[said_of(run)[name] for name in head] for run in runs])
    context.terminal.answer(runs)


def show_job(family: RunFamily, run: RunId, conf: Conf = None, as_json: AsJson = False) -> None:
    """Show one run and what it came to for every user.

    Example: `muvr jobs show exercise 01a1fb67-1800-7000-8000-000000000000`
    """
    context = open_context(conf, as_json=as_json)

    found, users = context.run_async(lambda database: _shown(database, family, run))
    answer = {**found, "users": [one._asdict() for one in users]}
    show_run(context.terminal, said_of(answer))
    head = ("user_id", "model_id", "status", "reason", "version")
    context.terminal.table("users", head, [[one[name] for name in head] for one in answer["users"]])
    context.terminal.answer(answer)


def rerun(
    family: RunFamily,
    run: RunId,
    failed: Annotated[bool, typer.Option("--failed", help="only users who failed")] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Run a job again for the users of an earlier run, with its cut-off; their newest sets count.

    Example: `muvr jobs rerun exercise 01a1fb67-1800-7000-8000-000000000000 --failed`
    """
    context = open_context(conf, as_json=as_json)
    earlier, outcomes = context.run_async(lambda database: _read(database, family, run))
    whom = users_again(earlier, outcomes, only_failed=failed)
    report = run_job(context, family, whom, engine_of(earlier), cutoff_of(earlier))
    show_run(context.terminal, asdict(report))
    context.terminal.answer(asdict(report))


def users_again(
    earlier: JobRun, outcomes: Sequence[UserOutcome], *, only_failed: bool
) -> Literal["all", "changed"] | list[UUID]:
    """The users that a repeated run learns: everybody if the first did, else those it recorded.

    Batch families, and jobs that stand beside another family, always learn from everybody.

    Raises:
        BadInput: nobody of that run failed, or it was for named users and recorded none of them.
    """
    if only_failed:
        found = sorted({one.user_id for one in outcomes if one.status == "failed"})
        if not found:
            raise BadInput(f"Nobody failed in run {earlier.run_id}.", field="--failed")
        return found
    family, users = FAMILIES.get(earlier.family), earlier.inputs.get("users")
    if users == "all" or family is None or family.kind == "batch":
        return "all"
    found = sorted({one.user_id for one in outcomes})
    if found or users == "changed":
        return found or "changed"
    raise BadInput(
        f"Run {earlier.run_id} was for {users} named users and ended before it recorded one; name "
        f"them: muvr train {earlier.family} --users ID,…",
        field="run",
        value=str(earlier.run_id),
    )


def engine_of(earlier: JobRun) -> TrainingEngine:
    """The engine of a run; Spark where it was not recorded."""
    return TrainingEngine(str(earlier.inputs.get("engine", TrainingEngine.spark)))


def cutoff_of(earlier: JobRun) -> datetime | None:
    """The cut-off that a run was given, None when it found its own."""
    text = str(earlier.inputs.get("cutoff_at"))
    return None if text == "None" else datetime.fromisoformat(text)


def said_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run as people read it: its status says whether it was taken back since.

    >>> said_of({"status": "done", "taken_back": True})["status"]
    'done, taken back'
    """
    return {**run, "status": run["status"] + (", taken back" if run["taken_back"] else "")}


async def _newest(database: Database, family: str) -> list[dict[str, Any]]:
    """The last runs of a family, or of all that have run, newest first.

    Raises:
        BadInput: there is no such family, and nothing of that name has run.
    """
    known = await JobRuns(database).families()
    if family != "all" and family not in {*known, *FAMILIES}:
        raise BadInput(
            f"Nothing called {family} has run; there is {', '.join(known) or 'no run yet'}",
            field="family",
            value=family,
        )
    names = known if family == "all" else [family]
    runs = await asyncio.gather(*(JobRuns(database).newest(name) for name in names))
    gone = set(await Champions(database).withdrawn())
    found = sorted(chain.from_iterable(runs), key=lambda run: run.started_at, reverse=True)
    return [_with_fate(run, gone) for run in found]


def _with_fate(run: JobRun, gone: Collection[UUID]) -> dict[str, Any]:
    """A run, and whether a person took it back."""
    return {**run._asdict(), "taken_back": run.run_id in gone}


async def _shown(
    database: Database, family: str, run: UUID
) -> tuple[dict[str, Any], list[UserOutcome]]:
    """A run with its fate, and what it came to for every user."""
    found, outcomes = await _read(database, family, run)
    return _with_fate(found, await Champions(database).withdrawn()), outcomes


async def _read(database: Database, family: str, run: UUID) -> tuple[JobRun, list[UserOutcome]]:
    """A run, and what it came to for every user.

    Raises:
        NotFound: there is no such run.
    """
    found = await JobRuns(database).read(family, run)
    if found is None:
        raise NotFound(f"There is no run {run} of {family}; see `muvr jobs list {family}`")
    return found, await JobRuns(database).users(run)
