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
from muvr.scoreboard import HEAD, SCORES_TITLE, WHY_HEAD, reason_rows, score_rows
from muvr.terminal import Terminal, cell_text
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import UserSelection
from schemas.config import Config
from schemas.errors import BadInput, MuvrError, Retryable
from schemas.times import server_time, us_of
from store.database import Database
from store.labelled_sets import LabelledSets
from store.records import records_in


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
    selection = read_users(users)
    failed: dict[str, str] = {}
    reports: list[RunReport] = []
    if family == "all":
        with context.database():
            pass  # without Cassandra: one error instead of one per family
    for name in families_on(engine) if family == "all" else [family]:
        try:
            reports.append(run_job(context, name, selection, engine))
        except Exception as problem:
            if family != "all":
                raise
            failed[name] = problem_text(problem)  # the other families do not wait for this one
    for report in reports if family != "all" else ():
        show_run(context.terminal, asdict(report))
    recovered = _recovered_truth(context, reports) if family == "all" else None
    if family == "all":
        context.terminal.table(SCORES_TITLE, HEAD, score_rows(reports, recovered))
        context.terminal.table("why not", WHY_HEAD, reason_rows(reports))
    context.terminal.table("failed", ("family", "why"), list(failed.items()))
    runs = [asdict(report) for report in reports]
    context.terminal.answer({"runs": runs, "failed": failed, "found_of_simulated_truth": recovered})
    if failed:
        raise typer.Exit(1)


def families_on(engine: TrainingEngine) -> Sequence[str]:
    """The families that `all` trains on an engine, in this order."""
    from pipelines.jobs import ALL_JOBS, FROM_SAMPLES  # see run_job

    return [name for name in ALL_JOBS if engine is TrainingEngine.spark or name in FROM_SAMPLES]


def _recovered_truth(
    context: CommandContext, reports: Sequence[RunReport]
) -> Mapping[str, float] | None:
    """How well new clusters recover the temperaments of simulated users, where there are any."""
    from muvr.simulating_truth import clusters_against_truth, temperaments

    truth = temperaments(context.config.paths.reports)
    if not truth or not any(
        (report.family, report.status) == ("clusters", "done") for report in reports
    ):
        return None
    return context.run_async(lambda database: clusters_against_truth(database, truth))


def problem_text(problem: Exception) -> str:
    """The message of a failure; an unexpected one with the name of its type."""
    if isinstance(problem, MuvrError):
        return str(problem)
    return f"{type(problem).__name__}: {problem}"


def show_run(terminal: Terminal, run: Mapping[str, Any]) -> None:
    """Print a run as a table: counts, metrics, seconds and reasons."""
    title = f"{run['family']}: {run['status']} ({run['run_id']})"
    parts = ("counts", "metrics", "seconds", "reasons")
    rows = [pair for part in parts for pair in run.get(part, {}).items() if cell_text(pair[1])]
    if rows:
        terminal.table(title, ("what", "value"), rows)
    else:  # a run in progress has no counts yet
        terminal.say(title)


def run_job(
    context: CommandContext,
    family: str,
    users: UserSelection,
    engine: TrainingEngine = TrainingEngine.spark,
    cutoff_at: datetime | None = None,
) -> RunReport:
    """Run one family's job, after bringing up to date what it reads.

    Raises:
        BadInput: no such family, or an option that it does not know.
        LeaseHeld: another run of the family is under way.
    """
    # Imported here: commands that only list runs would wait seconds for Spark and scipy.
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
    """Bring the stretches of the global models' members up to date, as the sweeper does."""
    failed = context.run_async(lambda database: _project_members(database, context.config))
    for user_id, reason in failed.items():
        context.terminal.fail(f"The stretches of user {user_id} stay as they were. {reason}")


async def _project_members(database: Database, config: Config) -> dict[UUID, str]:
    """Bring the members' stretches up to date; the users for whom it failed, with reasons."""
    from ingest.stretches import project_stretches  # see run_job
    from pipelines.lifecycle.members import members_of

    records = records_in(database, config.limits)
    keys = members_of(await LabelledSets(database).keys(), config.training.seed)
    failed: dict[UUID, str] = {}
    for user_id in sorted({user_id for user_id, _ in keys}):
        try:
            await project_stretches(records, user_id, us_of(server_time()))
        except Retryable:
            raise
        except Exception as problem:  # noqa: BLE001 (returned; the other users go on)
            failed[user_id] = problem_text(problem)
    return failed


def read_users(text: str, known: Sequence[str] = ("changed", "all")) -> UserSelection:
    """`changed`, `all`, or user ids with commas.

    Args:
        text: the value of `--users`.
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
