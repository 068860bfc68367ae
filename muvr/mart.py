"""`muvr mart`: the analysts' tables."""

from dataclasses import asdict
from typing import Annotated

import typer

from muvr.context import open_context
from muvr.options import AsJson, Conf
from muvr.scoreboard import show_run
from pipelines.mart.job import refresh_mart
from schemas.errors import BadInput
from schemas.mart import SHOWN
from schemas.plurals import plural
from store.mart import MartFolder


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="The analysts' tables.", no_args_is_help=True)
    group.command()(refresh)
    group.command()(show)
    app.add_typer(group, name="mart")


def refresh(
    everybody: Annotated[bool, typer.Option("--all", help="read all people again")] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Bring the mart up to date: people who changed are read again, erased ones are gone.

    Example: `muvr mart refresh`
    """
    context = open_context(conf, as_json=as_json)
    with context.terminal as terminal:
        report = refresh_mart(context.config, everybody=everybody, progress=terminal)
    show_run(context.terminal, asdict(report))
    context.terminal.answer(asdict(report))


def show(
    table: Annotated[str, typer.Argument(help="a table, or `all`")] = "all",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Show how fresh the mart is, and what its tables and columns mean.

    Example: `muvr mart show deviations`
    """
    context = open_context(conf, as_json=as_json)
    manifest = MartFolder(context.config.paths.mart).manifest()
    context.terminal.say(f"The mart is as of {manifest.as_of:%Y-%m-%d %H:%M:%S} UTC.")
    if table not in ("all", *SHOWN):
        raise BadInput(
            f"The mart has no table {table}; it has {', '.join(SHOWN)}.", field="table", value=table
        )
    chosen = [mart_table for mart_table in SHOWN.values() if table in ("all", mart_table.name)]
    for mart_table in chosen:
        rows = [
            (column.name, column.type, column.description, column.example)
            for column in mart_table.columns
        ]
        stored = manifest.rows.get(mart_table.name)  # None of the view, which is no file
        count = "a view" if stored is None else plural(stored, "row")
        title = f"{mart_table.name}: {count}. {mart_table.description}"
        context.terminal.table(title, ("column", "type", "says", "example"), rows)
    context.terminal.answer(
        {
            "as_of": manifest.as_of,
            "tables": {
                mart_table.name: {**asdict(mart_table), "rows": manifest.rows.get(mart_table.name)}
                for mart_table in chosen
            },
        }
    )
