"""`muvr replay`: projections, and models if asked, again from the journal."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from ingest.replay import rebuild_user
from muvr.context import CommandContext, open_context
from muvr.family_jobs import read_users
from muvr.options import AsJson, Conf
from muvr.scoreboard import show_run
from muvr.train import show_failed, train_each
from pipelines.lifecycle.runs import RunReport
from pipelines.replay import replay as replay_journal


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(replay)


def replay(
    users: Annotated[str, typer.Option(help="all, or user ids with commas")] = "all",
    models: Annotated[bool, typer.Option("--models", help="then learn every family again")] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Write sessions, sets, labelled sets, plans and deviations again from the journal.

    Over live tables it changes nothing; after a loss it brings back every row that follows from
    the journal, except training samples that have expired.

    The exit code is 1 if anybody's rows could not be written, because they are still missing;
    `muvr jobs show` lists whose. It is 1 as well if a family failed to learn.

    Example: `muvr replay --users all`
    """
    context = open_context(conf, as_json=as_json)
    selection = read_users(users, ["all"])
    replayed = _project(context, None if isinstance(selection, str) else selection)
    trained, failed = train_each(context, _families() if models else [], selection)
    runs = [asdict(report) for report in (replayed, *trained)]
    for run in runs:
        show_run(context.terminal, run)
    show_failed(context.terminal, failed)
    context.terminal.answer({"runs": runs, "failed": failed})
    if failed or replayed.counts.get("failed"):
        raise typer.Exit(1)


def _families() -> Sequence[str]:
    """All families; experiments are run by name."""
    from pipelines.jobs import JOBS  # as `run_job` does

    return JOBS


def _project(context: CommandContext, users: Sequence[UUID] | None) -> RunReport:
    with context.terminal as terminal:
        return replay_journal(
            context.config,
            partial(rebuild_user, limits=context.config.limits),
            users=users,
            progress=terminal,
        )
