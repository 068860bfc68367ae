"""`muvr`: the front door. Each command is in the module of its subject; this one joins them.

Exit codes: 0 done, 1 failed (one sentence says why and what next), 2 wrong use.
"""

import sys

import typer

from muvr import (
    backup,
    demo,
    evaluation,
    jobs,
    mart,
    models,
    records,
    replay,
    run,
    schedule,
    simulating,
    sql,
    token,
    train,
)
from muvr.terminal import Terminal
from schemas.errors import BadInput, MuvrError

app = typer.Typer(
    name="muvr",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Self-hosted backend for fitness apps: one exercise model per user.",
)
for part in (
    run,
    backup,
    records,
    token,
    simulating,
    train,
    schedule,
    replay,
    models,
    jobs,
    mart,
    sql,
    evaluation,
    demo,
):
    part.register(app)


def main() -> None:
    """Run the command line; every error of ours becomes one sentence."""
    try:
        app()
    except BadInput as problem:
        Terminal().fail(str(problem))
        sys.exit(2)
    except MuvrError as problem:
        Terminal().fail(str(problem))
        sys.exit(1)
    except KeyboardInterrupt:
        Terminal().fail("interrupted")
        sys.exit(130)
