"""`muvr evaluate`: the recognition protocols on real recordings, as a report and as a page."""

from typing import Annotated

import typer

from muvr.door import open_door
from muvr.options import AsJson, Conf


def register(app: typer.Typer) -> None:
    """Add this package's command."""
    app.command()(evaluate)


def evaluate(
    family: Annotated[str, typer.Argument(help="exercise, activity, reps, cost or all")] = "all",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Run the recognition protocols on real recordings, split by person and by time.

    Writes build/evaluate.json and build/evaluate.html. Example: `muvr evaluate reps`
    """
    # Every other command would wait a second for the protocols and for matplotlib.
    from muvr.evaluation.command import run  # noqa: PLC0415

    if not run(open_door(conf, as_json=as_json), family):
        raise typer.Exit(1)
