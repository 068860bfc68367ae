"""`muvr evaluate`: the recognition protocols on real recordings, as a report and as a page."""

from typing import Annotated

import typer

from muvr.context import open_context
from muvr.options import AsJson, Conf


def register(app: typer.Typer) -> None:
    """Add this package's command."""
    app.command()(evaluate)


def evaluate(
    family: Annotated[
        str, typer.Argument(help="exercise, activity, reps, form, cost or all; or sessions")
    ] = "all",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Run the recognition protocols on real recordings, split by person and by time.

    Writes build/evaluate.json and build/evaluate.html; of one family build/evaluate-FAMILY.json and
    its page. `sessions` asks a service of its own over HTTP about gym days that it never saw and
    writes build/sessions.json. Example: `muvr evaluate reps`
    """
    context = open_context(conf, as_json=as_json)
    # Every other command would wait a second for the protocols and for matplotlib.
    if family == "sessions":
        from muvr.evaluation.sessions import run as run_sessions

        holds = run_sessions(context)
    else:
        from muvr.evaluation.command import run

        holds = run(context, family)
    if not holds:
        raise typer.Exit(1)
