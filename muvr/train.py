"""`muvr train`: learn from Cassandra, judge, and let the good ones serve."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from muvr.context import CommandContext, open_context
from muvr.family_jobs import problem_text, read_users, run_job
from muvr.options import AsJson, Conf
from muvr.scoreboard import HEAD, SCORES_TITLE, WHY_HEAD, reason_rows, score_rows, show_run
from muvr.terminal import Terminal
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import EngineName, UserSelection


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(train)


def train(
    family: Annotated[str, typer.Argument(help="a family, an experiment, or `all`")],
    users: Annotated[str, typer.Option(help="changed, all, or user ids with commas")] = "changed",
    engine: Annotated[EngineName, typer.Option(help="spark, or local for few users")] = "spark",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Learn models from Cassandra, judge them, and let the good ones serve.

    `all` with --engine local leaves out clusters, recommend and rank, which compare everybody and
    so run on Spark only, as experiments do.

    Experiments are exercise-averaged, exercise-search and exercise-perceptron; `all` has the first.

    Clusters, recommend, rank, activity and experiments learn from everybody, also with --users ID.

    Users who failed are counted, and `muvr jobs show` lists them; the exit code stays 0.

    Example: `muvr train exercise --users all`
    """
    context = open_context(conf, as_json=as_json)
    selection = read_users(users)
    if family == "all":
        with context.database():
            pass  # without Cassandra: one error instead of one per family
        reports, failed = train_each(context, families_on(engine), selection, engine)
        recovered = _recovered_truth(context, reports)
        context.terminal.table(SCORES_TITLE, HEAD, score_rows(reports, recovered))
        context.terminal.table("why not", WHY_HEAD, reason_rows(reports))
        show_failed(context.terminal, failed)
    else:
        reports, failed = [run_job(context, family, selection, engine)], {}
        recovered = None
        show_run(context.terminal, asdict(reports[0]))
    runs = [asdict(report) for report in reports]
    context.terminal.answer({"runs": runs, "failed": failed, "found_of_simulated_truth": recovered})
    if failed:
        raise typer.Exit(1)


def train_each(
    context: CommandContext,
    families: Sequence[str],
    users: UserSelection,
    engine: EngineName = "spark",
) -> tuple[list[RunReport], dict[str, str]]:
    """Run the jobs of families, of which none waits for one that fails.

    Returns:
        The reports of those that ran, and for each that failed why.
    """
    reports: list[RunReport] = []
    failed: dict[str, str] = {}
    for family in families:
        try:
            reports.append(run_job(context, family, users, engine))
        except Exception as problem:  # noqa: BLE001 (returned; the other families go on)
            failed[family] = problem_text(problem)
    return reports, failed


def show_failed(terminal: Terminal, failed: Mapping[str, str]) -> None:
    """Print which families failed and why; nothing if none did."""
    terminal.table("failed", ("family", "why"), list(failed.items()))


def families_on(engine: EngineName) -> Sequence[str]:
    """The families that `all` trains on an engine, in this order."""
    from pipelines.jobs import ALL_JOBS, ON_LOCAL  # as `run_job` does

    return [name for name in ALL_JOBS if engine == "spark" or name in ON_LOCAL]


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
