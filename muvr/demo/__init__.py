"""`muvr demo`: real recordings over HTTP into Cassandra, through Spark, and back as answers."""

import typer

from muvr.context import open_context
from muvr.options import AsJson, Conf


def register(app: typer.Typer) -> None:
    """Add this package's command."""
    app.command()(demo)


def demo(conf: Conf = None, as_json: AsJson = False) -> None:
    """Run the main job on real parts and real recordings, and check every hop.

    Example: `muvr demo && muvr up`
    """
    # Every other command would wait for what only this one needs.
    from muvr.demo.command import run

    if not run(open_context(conf, as_json=as_json)):
        raise typer.Exit(1)
