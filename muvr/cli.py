"""`muvr`: the command line. Each command is in the module of its subject; this one joins them.

Exit codes: 0 done, 1 failed (one sentence says why and what next), 2 wrong use, 130 interrupted.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

import typer

from muvr.interruption import interrupt_on_signals
from muvr.terminal import Terminal
from schemas.errors import BadInput, MuvrError
from schemas.exhaustion import exhaustion_of, said_by

# Where each command is. Training and measuring import seconds' worth of Spark and scipy: a command
# imports its own module alone.
COMMANDS = {
    **dict.fromkeys(("up", "down"), "muvr.up"),
    "status": "muvr.status",
    "doctor": "muvr.doctor",
    "migrate": "muvr.migrate",
    "config": "muvr.config",
    **dict.fromkeys(("backup", "restore"), "muvr.backup"),
    "import": "muvr.import_command",
    "user": "muvr.user",
    "token": "muvr.token",
    "simulate": "muvr.simulating",
    "train": "muvr.train",
    "schedule": "muvr.schedule",
    "replay": "muvr.replay",
    "models": "muvr.models",
    "jobs": "muvr.jobs",
    "mart": "muvr.mart",
    "sql": "muvr.sql",
    "evaluate": "muvr.evaluation",
    "demo": "muvr.demo",
}
INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended


def command_line(modules: Iterable[str] = COMMANDS.values()) -> typer.Typer:
    """The commands of these modules; by default of all, for whoever wants to see what there is."""
    app = typer.Typer(
        name="muvr",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        help="Self-hosted backend for fitness apps: one exercise model per user.",
    )
    app.callback()(_group)  # or typer would drop the name of a command that is alone
    for module in dict.fromkeys(modules):
        import_module(module).register(app)
    return app


def needed(arguments: Sequence[str]) -> Iterable[str]:
    """The modules that a command line needs: that of its command, or all to list the commands.

    >>> needed(["up", "--json"]), len(set(needed(["--help"]))) > 10
    (['muvr.up'], True)
    """
    first = next(iter(arguments), "")
    return [COMMANDS[first]] if first in COMMANDS else COMMANDS.values()


def _group() -> None:
    """Self-hosted backend for fitness apps: one exercise model per user."""


def main() -> None:
    """Run the command line; every error of ours becomes one sentence."""
    interrupt_on_signals()
    try:
        command_line(needed(sys.argv[1:]))()
    except BadInput as problem:
        Terminal().fail(str(problem))
        sys.exit(2)
    except MuvrError as problem:
        Terminal().fail(str(problem))
        sys.exit(1)
    except KeyboardInterrupt:  # while modules are imported
        Terminal().fail("interrupted")
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer turns an interrupt of a command into it
            Terminal().fail("interrupted")
        raise
    except Exception as problem:
        if os.environ.get("MUVR_TRACE"):
            raise
        if exhausted := exhaustion_of(problem):
            Terminal().fail(str(exhausted))
        else:
            Terminal().fail(
                f"{type(problem).__name__}: {said_by(problem)} This was not expected: MUVR_TRACE=1 "
                "before the command shows where it failed; muvr doctor looks at what it needs."
            )
        sys.exit(1)
