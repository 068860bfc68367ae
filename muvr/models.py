"""`muvr models`: look at models and move champions; a person decides."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from muvr.door import Door, open_door
from muvr.options import AsJson, Conf
from muvr.owners import owner_named, pointer_meant
from pipelines.lifecycle.runs import server_time
from schemas.errors import BadInput, Conflict, NoModel, NotThere
from schemas.families import FAMILIES
from schemas.layout import GLOBAL_OWNER
from store.champions import Challenger, Champions, Serving
from store.database import Database
from store.jobs import JobRuns
from store.live_runs import LiveRuns
from store.models import Models

SHOWN = 5  # kept versions


OWNER_HELP = "user name or id, or `global`"
OwnerName = Annotated[str, typer.Argument(help=OWNER_HELP)]
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
    """List an owner's champions, and which version serves: another one once a run was taken back.

    Without a version the run found too few sets left to learn from: nothing of the owner's serves.

    Example: `muvr models list spar-01`
    """
    door = open_door(conf, as_json=as_json)
    champions = door.ask(lambda database: _champions(database, user))
    head = ("family", "model_id", "version", "serves", "run_id", "promoted_at", "previous_version")
    if not champions:
        door.terminal.say(f"No model has been promoted for {user} yet; `muvr jobs list` shows why.")
    door.terminal.table(user, head, [[one[name] for name in head] for one in champions])
    door.terminal.answer(champions)


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
    door = open_door(conf, as_json=as_json)
    manifest = door.ask(lambda database: _manifest(database, user, family, model_id))
    rows = [(name, value) for name, value in manifest.items() if name != "golden"]
    door.terminal.table(f"{user} {family}", ("what", "value"), rows)
    door.terminal.answer(manifest)


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
    door = open_door(conf, as_json=as_json)
    answer = door.ask(lambda database: _promote(database, user, model_id, family, version))
    door.terminal.say(f"{user}: {family} {version} serves. {_followed(door)}")
    door.terminal.answer(answer)


def rollback(
    user: Annotated[str | None, typer.Argument(help=OWNER_HELP)] = None,
    run: Annotated[UUID | None, typer.Option(help="take back everything of this run")] = None,
    family: ModelFamily = "exercise",
    model_id: ModelId = None,
    reason: Annotated[str, typer.Option(help="kept beside the run")] = "rolled back by an operator",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Let the former champion serve again: of one owner, or of a whole run.

    A family over everybody goes back to the newest earlier run that is kept, and says how many
    lie behind it; naming that run in turn goes back one more.

    Example: `muvr models rollback --run 01a1fb67-1800-7000-8000-000000000000`
    """
    if (user is None) == (run is None):
        raise BadInput("Name either a user or --run, not both", field="user", value=user)
    door = open_door(conf, as_json=as_json)
    if run is not None:
        says, answer = door.ask(lambda database: _take_back(database, run, reason), "migrations")
    else:
        says, answer = door.ask(
            lambda database: _roll_back(database, str(user), model_id, family), "migrations"
        )
    door.terminal.say(f"{says} {_followed(door)}")
    door.terminal.answer(answer)


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
    door = open_door(conf, as_json=as_json)
    content = door.ask(lambda database: _content(database, user, family, model_id))
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise BadInput(
            f"{path} cannot be written: {problem.strerror}. Name a file in a folder that is there",
            field="path",
            value=path,
        ) from problem
    door.terminal.say(f"{path}: {len(content):,} bytes")
    door.terminal.answer({"path": str(path), "bytes": len(content)})


def _followed(door: Door) -> str:
    return f"Every worker follows within {door.config.api.pointer_ttl_s:g} s (api.pointer_ttl_s)."


async def _champions(database: Database, user: str) -> list[dict[str, Any]]:
    """All pointers of an owner, each with the version that serves, None where none does."""
    champions = Champions(database)
    found = await champions.of_owner(await owner_named(database, user))
    serving = [await champions.in_effect(one) for one in found]
    return [
        {**one._asdict(), "serves": serves.version if serves else None}
        for one, serves in zip(found, serving, strict=True)
    ]


async def _manifest(
    database: Database, user: str, family: str, model_id: str | None
) -> dict[str, Any]:
    """The manifest of the model that serves an owner; raises as `_serving`."""
    serving = await _serving(database, user, family, model_id)
    return dict(await Models(database).manifest(*serving.model_key) or {})


async def _content(database: Database, user: str, family: str, model_id: str | None) -> bytes:
    """The bytes of the model that serves an owner; raises as `_serving`."""
    serving = await _serving(database, user, family, model_id)
    return (await Models(database).get(*serving.model_key)).content


async def _promote(
    database: Database, user: str, model_id: str | None, family: str, version: str
) -> dict[str, Any]:
    """Point an owner to a kept version.

    Raises:
        NoModel: the version is not kept; says which are.
        Conflict: the run that learned it was taken back.
    """
    owner, model_id = await pointer_meant(database, user, family, model_id)
    try:
        stored = await Models(database).get(owner, model_id, family, version)
    except NoModel as problem:
        kept = await _kept_versions(database, owner, model_id, family)
        raise NoModel(problem.says.replace(owner, user), next_step=kept) from problem
    champions = Champions(database)
    if await champions.is_withdrawn(stored.run_id):
        raise Conflict(
            f"Run {stored.run_id}, which learned {version}, was taken back: nothing of it "
            f"serves. Learn anew with `muvr train {family} --users all`."
        )
    read = await champions.read(owner, model_id, family)
    await champions.promote(Challenger.of(stored), read, server_time())
    return {"owner": owner, "family": family, "version": version}


async def _roll_back(
    database: Database, user: str, model_id: str | None, family: str
) -> tuple[str, dict[str, Any]]:
    """Let an owner's former champion serve again; what became of it, for people and machines.

    Raises:
        NoModel: there is none to go back to; says which versions are kept.
    """
    owner, model_id = await pointer_meant(database, user, family, model_id)
    try:
        back = await Champions(database).rollback(owner, model_id, family, server_time())
    except NoModel as problem:
        kept = await _kept_versions(database, owner, model_id, family)
        raise NoModel(problem.says.replace(owner, user), next_step=kept) from problem
    return f"{family} {back.version} serves {user} again.", back._asdict()


async def _serving(database: Database, user: str, family: str, model_id: str | None) -> Serving:
    """The version that serves an owner.

    Raises:
        NotThere: none does.
    """
    owner, model_id = await pointer_meant(database, user, family, model_id)
    serving = await Champions(database).serving(owner, model_id, family)
    if serving is None:
        raise NotThere(
            f"No {family} model for {model_id} serves {user}; see `muvr models list {user}`"
        )
    return serving


async def _take_back(database: Database, run: UUID, reason: str) -> tuple[str, dict[str, Any]]:
    """Withdraw a run: readers of its models fall back, a batch family's former run is live again.

    Returns:
        what became of it, for people and for machines; of a batch family also which earlier runs
        are kept behind the one that is live.

    Raises:
        NotThere: there is no such run.
    """
    found = await JobRuns(database).find(run)
    if found is None:
        raise NotThere(f"There is no run {run}; `muvr jobs list` shows them")
    now = server_time()
    await Champions(database).withdraw(run, reason, now)
    answer: dict[str, Any] = {"withdrawn": run, "family": found.family}
    known = FAMILIES.get(found.family)
    if known is None or known.kind != "batch":
        return "The models before those of this run serve.", answer
    runs = LiveRuns(database)
    live = await runs.read(found.family)
    if live is not None and live.run_id == run:
        live = await runs.take_back(found.family, run, now)
    if live is None:
        says = f"No run of {found.family} is live: none before it is kept. The next run's rows are."
        return says, {**answer, "live": None, "kept": []}
    kept = [one.run_id for one in await runs.kept(found.family, live.run_id, now)]
    says = f"Of {found.family} run {live.run_id} is live, of {live.as_of:%Y-%m-%d %H:%M} UTC."
    behind = f"{len(kept)} more to go back to." if kept else "No earlier one is kept."
    return f"{says} {behind}", {**answer, "live": live.run_id, "kept": kept}


async def _kept_versions(database: Database, owner: str, model_id: str, family: str) -> str:
    """What to do where a pointer knows no former version: which ones are kept, newest first."""
    champions = Champions(database)
    kept = await Models(database).versions(owner, model_id, family)
    pointer = await champions.read(owner, model_id, family)
    gone = set(await champions.withdrawn())
    others = [
        f"{one.version} of {one.created_at:%Y-%m-%d}"
        for one in kept
        if one.run_id not in gone and (pointer is None or one.version != pointer.version)
    ]
    if not others:
        return "No other version is kept."
    return f"`muvr models promote` lets a kept version serve: {', '.join(others[:SHOWN])}."
