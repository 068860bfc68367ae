"""`muvr jobs`: what ran, on what, and what it came to for every user."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

from muvr.door import open_door
from muvr.options import AsJson, Conf
from muvr.terminal import Terminal
from schemas.errors import NotThere
from schemas.families import FAMILIES
from store.database import Database
from store.jobs import JobRuns


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Look at job runs.", no_args_is_help=True)
    group.command("list")(list_jobs)
    group.command("show")(show_job)
    app.add_typer(group, name="jobs")


def show_run(terminal: Terminal, run: Mapping[str, Any]) -> None:
    """A run as a table: counts, metrics, seconds and reasons."""
    title = f"{run['family']}: {run['status']} ({run['run_id']})"
    parts = ("counts", "metrics", "seconds", "reasons")
    rows = [pair for part in parts for pair in run.get(part, {}).items()]
    terminal.table(title, ("what", "value"), rows)


def list_jobs(
    family: Annotated[str, typer.Argument(help="a family, or `all`")] = "all",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """List the last runs.

    Example: `muvr jobs list exercise`
    """
    door = open_door(conf, as_json=as_json)

    async def question(database: Database) -> list[dict[str, Any]]:
        names = list(FAMILIES) if family == "all" else [family]
        runs = await asyncio.gather(*(JobRuns(database).newest(name) for name in names))
        return [run._asdict() for several in runs for run in several]

    runs = door.ask(question)
    head = ("family", "run_id", "status", "started_at", "counts")
    door.terminal.table("runs", head, [[run[name] for name in head] for run in runs])
    door.terminal.answer(runs)


def show_job(family: str, run: UUID, conf: Conf = None, as_json: AsJson = False) -> None:
    """Show one run and what it came to for every user.

    Example: `muvr jobs show exercise 01a1fb67-1800-7000-8000-000000000000`
    """
    door = open_door(conf, as_json=as_json)

    async def question(database: Database) -> dict[str, Any]:
        found = await JobRuns(database).read(family, run)
        if found is None:
            raise NotThere(f"There is no run {run} of {family}")
        users = await JobRuns(database).users(run)
        return {**found._asdict(), "users": [one._asdict() for one in users]}

    answer = door.ask(question)
    show_run(door.terminal, answer)
    head = ("user_id", "model_id", "status", "reason", "version")
    door.terminal.table("users", head, [[one[name] for name in head] for one in answer["users"]])
    door.terminal.answer(answer)
