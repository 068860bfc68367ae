"""`muvr models`: look at models and move champions; a person decides."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from muvr.champions import (
    champions_of,
    promote_version,
    roll_back,
    serving_content,
    serving_manifest,
)
from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf, stored_name
from muvr.withdrawn_runs import withdraw_run
from schemas.errors import BadInput
from schemas.layout import GLOBAL_OWNER

OWNER_HELP = "user name or id, or `global`"
OwnerName = Annotated[str, typer.Argument(help=OWNER_HELP, callback=stored_name)]
ModelFamily = Annotated[str, typer.Option(help="which kind of model")]
ModelId = Annotated[
    str | None,
    typer.Option(help="wrist-acc6, wrist-acc3 or sets; default: the first that there is"),
]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Look at models, move champions.", no_args_is_help=True)
    group.command("list")(list_models)
    for command in (show, promote, rollback, export):
        group.command()(command)
    app.add_typer(group, name="models")


def list_models(
    user: OwnerName = GLOBAL_OWNER,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """List an owner's champions, and which version serves: another one once a run was withdrawn.

    Without a version a run retired the model, and nothing of the owner's serves: too few sets were
    left, or, for `global`, a user was erased and no model replaced it.

    Example: `muvr models list spar-01`
    """
    context = open_context(conf, as_json=as_json)
    champions = context.run_async(lambda database: champions_of(database, user))
    head = ("family", "model_id", "version", "serves", "run_id", "promoted_at", "previous_version")
    if not champions:
        context.terminal.say(
            f"No model has been promoted for {user} yet; `muvr jobs list` shows why."
        )
    context.terminal.table(
        user, head, [[champion[name] for name in head] for champion in champions]
    )
    context.terminal.answer(champions)


def show(
    user: OwnerName,
    family: ModelFamily = "exercise",
    model_id: ModelId = None,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Show the manifest of the model that serves: labels, metrics, cut-off, digests.

    Its golden vectors, hundreds of numbers, are shown with --json only.

    Example: `muvr models show spar-01`
    """
    context = open_context(conf, as_json=as_json)
    manifest = context.run_async(
        lambda database: serving_manifest(database, user, family, model_id)
    )
    rows = [(name, value) for name, value in manifest.items() if name != "golden"]
    context.terminal.table(f"{user} {family}", ("what", "value"), rows)
    context.terminal.answer(manifest)


def promote(
    user: OwnerName,
    version: Annotated[str, typer.Argument(help="a version that is kept")],
    family: ModelFamily = "exercise",
    model_id: ModelId = None,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Let a kept version serve, past the gate: a person decides.

    Example: `muvr models promote spar-01 0123456789abcdef`
    """
    context = open_context(conf, as_json=as_json)
    answer = context.run_async(
        lambda database: promote_version(database, user, model_id, family, version)
    )
    context.terminal.say(f"{user}: {family} {version} serves. {_delay_note(context)}")
    context.terminal.answer(answer)


def rollback(
    user: Annotated[str | None, typer.Argument(help=OWNER_HELP, callback=stored_name)] = None,
    run: Annotated[UUID | None, typer.Option(help="withdraw everything of this run")] = None,
    family: ModelFamily = "exercise",
    model_id: ModelId = None,
    reason: Annotated[str, typer.Option(help="kept beside the run")] = "rolled back by an operator",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Let the former champion serve again: of one owner, or of a whole run.

    Of a run it says how many models it had promoted and retired.

    A family over everybody goes back to the newest earlier run that is kept, and says how many
    lie behind it; naming that run in turn goes back one more.

    Example: `muvr models rollback --run 01a1fb67-1800-7000-8000-000000000000`
    """
    if (user is None) == (run is None):
        raise BadInput("Name either a user or --run, not both.", field="user", value=user)
    context = open_context(conf, as_json=as_json)
    if run is not None:
        says, answer = context.run_async(
            lambda database: withdraw_run(database, run, reason), "migrations"
        )
    else:
        says, answer = context.run_async(
            lambda database: roll_back(database, str(user), model_id, family), "migrations"
        )
    context.terminal.say(f"{says} {_delay_note(context)}")
    context.terminal.answer(answer)


def export(
    user: OwnerName,
    path: Annotated[Path, typer.Argument(help="where to write the bytes")],
    family: ModelFamily = "exercise",
    model_id: ModelId = None,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Write the bytes of the model that serves to a file.

    Example: `muvr models export global exercise.npz`
    """
    context = open_context(conf, as_json=as_json)
    content = context.run_async(lambda database: serving_content(database, user, family, model_id))
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise BadInput(
            f"{path} cannot be written: {problem.strerror}. Name a file in a folder that is there.",
            field="path",
            value=path,
        ) from problem
    context.terminal.say(f"{path}: {len(content):,} bytes")
    context.terminal.answer({"path": str(path), "bytes": len(content)})


def _delay_note(context: CommandContext) -> str:
    return (
        f"Every worker follows within {context.config.api.pointer_ttl_s:g} s (api.pointer_ttl_s)."
    )
