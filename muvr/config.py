"""`muvr config`: the settings in force."""

import typer

from muvr.context import open_context
from muvr.options import AsJson, Conf


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(config)


def config(conf: Conf = None, as_json: AsJson = False) -> None:
    """Show the settings in force, overrides of the environment included.

    Example: `MUVR_API__PORT=9000 muvr config --json`
    """
    context = open_context(conf, as_json=as_json)
    values = context.config.model_dump(mode="json")
    for section, keys in values.items():
        context.terminal.table(section, ("key", "value"), keys.items())
    context.terminal.answer(values)
