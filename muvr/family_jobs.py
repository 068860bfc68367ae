"""Running one family's job from a command: its options, what the job reads, its failure."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from muvr.context import CommandContext
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import EngineName, UserSelection
from schemas.config import Config
from schemas.errors import BadInput, MuvrError, NoKernel, Retryable
from schemas.exhaustion import exhaustion_of, said_by
from schemas.families import ACTIVITY, MART_JOB
from schemas.times import server_time, us_of
from store.database import Database
from store.labelled_sets import LabelledSets
from store.records import records_in


def run_job(
    context: CommandContext,
    family: str,
    users: UserSelection,
    engine: EngineName = "spark",
    cutoff_at: datetime | None = None,
) -> RunReport:
    """Run one family's job, after bringing up to date what it reads, or refresh the mart.

    Raises:
        BadInput: no such family, or an option that it does not know.
        LeaseHeld: another run of the family is under way.
    """
    # Imported here: commands that only list runs would wait seconds for Spark and scipy.
    from pipelines import jobs
    from pipelines.mart.job import refresh_mart

    if family == MART_JOB:
        if not isinstance(users, str) or engine != "spark":
            option = "users" if not isinstance(users, str) else "engine"
            raise BadInput("The mart is refreshed as a whole, on Spark.", field=option)
        with context.terminal as terminal:
            return refresh_mart(context.config, everybody=users == "all", progress=terminal)
    if family == ACTIVITY:
        keep_stretches(context)
    with context.terminal as terminal:
        return jobs.train(
            family,
            context.config,
            users=users,
            cutoff_at=cutoff_at,
            engine=engine,
            progress=terminal,
        )


def keep_stretches(context: CommandContext) -> None:
    """Bring the stretches of the global models' members up to date, of all their sessions.

    The sweeper does so for the sessions of recent events only.
    """
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
        except (NoKernel, Retryable):
            raise  # no user's data is to blame
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


def problem_text(problem: Exception) -> str:
    """The message of a failure; an unexpected one in a line, with the name of its type."""
    told = exhaustion_of(problem) or problem
    if isinstance(told, MuvrError):
        return str(told)
    return f"{type(told).__name__}: {said_by(told)}"
