"""`muvr train`: learn from Cassandra, judge, and let the good ones serve."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from muvr.scoreboard import HEAD, WHY_HEAD, reasons_of, table_of
from muvr.terminal import Terminal, shown
from pipelines.lifecycle.runs import RunReport, server_time
from pipelines.lifecycle.scope import AskedUsers
from schemas.config import Config
from schemas.errors import BadInput, MuvrError, Retryable
from schemas.times import us_of
from store.database import Database
from store.records import records_in
from store.training import TrainingKeys


class TrainingEngine(StrEnum):
    """Where the learning function runs."""

    spark = "spark"
    local = "local"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(train)


def train(
    family: Annotated[str, typer.Argument(help="a family, or `all`")],
    users: Annotated[str, typer.Option(help="changed, all, or user ids with commas")] = "changed",
    engine: Annotated[
        TrainingEngine, typer.Option(help="spark, or local for few users")
    ] = TrainingEngine.spark,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Learn models from Cassandra, judge them, and let the good ones serve.

    `all` with --engine local is all that learn from samples: the others run on Spark only.

    Example: `muvr train exercise --users all`
    """
    context = open_context(conf, as_json=as_json)
    whom = read_users(users)
    failed: dict[str, str] = {}
    reports: list[RunReport] = []
    if family == "all":
        with context.database():
            pass  # where nobody answers that is said once, and not by each family
    for name in families_on(engine) if family == "all" else [family]:
        try:
            reports.append(run_job(context, name, whom, engine))
        except Exception as problem:
            if family != "all":
                raise
            failed[name] = problem_text(problem)  # the other families do not wait for this one
    for report in reports if family != "all" else ():
        show_run(context.terminal, asdict(report))
    found = _found_of_truth(context, reports) if family == "all" else None
    if family == "all":
        context.terminal.table("trained", HEAD, table_of(reports, found))
        context.terminal.table("why not", WHY_HEAD, reasons_of(reports))
    context.terminal.table("failed", ("family", "why"), list(failed.items()))
    runs = [asdict(report) for report in reports]
    context.terminal.answer({"runs": runs, "failed": failed, "found_of_simulated_truth": found})
    if failed:
        raise typer.Exit(1)


def families_on(engine: TrainingEngine) -> Sequence[str]:
    """The families that `all` means on an engine, in the order in which they run."""
    from pipelines.jobs import EVERY, FROM_SAMPLES  # see run_job

    return [name for name in EVERY if engine is TrainingEngine.spark or name in FROM_SAMPLES]


def _found_of_truth(
    context: CommandContext, reports: Sequence[RunReport]
) -> Mapping[str, float] | None:
    """How well new clusters find the truth behind simulated people, where there are any."""
    from muvr.simulating_truth import clusters_against_truth, temperaments

    truth = temperaments(context.config.paths.reports)
    if not truth or not any((one.family, one.status) == ("clusters", "done") for one in reports):
        return None
    return context.run_async(lambda database: clusters_against_truth(database, truth))


def problem_text(problem: Exception) -> str:
    """A failure as people read it; an unforeseen one with the name of its type."""
    if isinstance(problem, MuvrError):
        return str(problem)
    return f"{type(problem).__name__}: {problem}"


def show_run(terminal: Terminal, run: Mapping[str, Any]) -> None:
    """A run as a table: counts, metrics, seconds and reasons."""
    title = f"{run['family']}: {run['status']} ({run['run_id']})"
    parts = ("counts", "metrics", "seconds", "reasons")
    rows = [pair for part in parts for pair in run.get(part, {}).items() if shown(pair[1])]
    if rows:
        terminal.table(title, ("what", "value"), rows)
    else:  # a run that is under way has counted nothing yet
        terminal.say(title)


def run_job(
    context: CommandContext,
    family: str,
    users: AskedUsers,
    engine: TrainingEngine = TrainingEngine.spark,
    cutoff_at: datetime | None = None,
) -> RunReport:
    """Run one family's job, what it needs before it included.

    Raises:
        BadInput: no such family, or an option that it does not know.
        LeaseHeld: another run of the family is under way.
    """
    # Who only lists runs would wait seconds for Spark and scipy.
    from pipelines import jobs

    if family == "activity":
        keep_stretches(context)
    with context.terminal as terminal:
        return jobs.train(
            family,
            context.config,
            users=users,
            cutoff_at=cutoff_at,
            engine=engine.value,
            progress=terminal,
        )


def keep_stretches(context: CommandContext) -> None:
    """Bring the stretches of members of the global models up to date, as the sweeper does."""
    left = context.run_async(lambda database: _project_members(database, context.config))
    for user_id, why in left.items():
        context.terminal.fail(f"The stretches of user {user_id} stay as they were. {why}")


async def _project_members(database: Database, config: Config) -> dict[UUID, str]:
    """Bring the members' stretches up to date; the users whose data cannot be read, and why."""
    from ingest.stretches import project_stretches  # see run_job
    from pipelines.lifecycle.members import members_of

    records = records_in(database, config.limits)
    keys = members_of(await TrainingKeys(database).all(), config.training.seed)
    left: dict[UUID, str] = {}
    for user_id in sorted({user_id for user_id, _ in keys}):
        try:
            await project_stretches(records, user_id, us_of(server_time()))
        except Retryable:
            raise
        except Exception as problem:  # noqa: BLE001 (handed back; the others are done as well)
            left[user_id] = problem_text(problem)
    return left


def read_users(text: str, known: Sequence[str] = ("changed", "all")) -> AskedUsers:
    """`changed`, `all`, or user ids with commas.

    Args:
        text: as it was typed.
        known: the words that the command takes.

    Raises:
        BadInput: anything else.
    """
    if (text == "changed" or text == "all") and text in known:
        return text
    try:
        return [UUID(part) for part in text.split(",")]
    except ValueError as problem:
        raise BadInput(
            f"--users {text}: say {', '.join(known)}, or user ids (`muvr user show NAME`)",
            field="users",
            value=text,
        ) from problem
