"""Commands about people and their recordings: import, user."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ingest.importers.gym import read_gym
from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import read_spar
from muvr.door import open_door
from muvr.importing import import_recordings
from muvr.options import AsJson, Conf, Password
from muvr.service import Service
from schemas.errors import BadInput
from store.users import Users


class Source(StrEnum):
    """What can be imported."""

    spar = "spar"
    gym = "gym"


READERS: dict[str, Callable[[Path], list[ImportedRecording]]] = {
    "spar": read_spar,
    "gym": read_gym,
}
user_app = typer.Typer(help="People and what they may do.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("import")(import_)
    user_app.command()(grant)
    app.add_typer(user_app, name="user")


def import_(
    source: Annotated[Source, typer.Argument(help="where the recordings come from")],
    path: Annotated[Path | None, typer.Argument(help="folder; spar has its own")] = None,
    password: Password = "",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Send recordings of a public data set through the running service, as its clients would.

    Example: `muvr up && muvr import spar --password "a long one"`
    """
    door = open_door(conf, as_json=as_json)
    if path is None and source is not Source.spar:
        raise BadInput(f"{source} needs the folder of its files", field="path")
    recordings = READERS[source.value](path or door.config.paths.datasets)
    with Service(door.config, door.conf_path).spoken_to() as url, door.terminal as terminal:
        counts = import_recordings(url, source.value, recordings, password, terminal)
    door.terminal.table(f"imported {source.value}", ("what", "count"), list(counts.items()))
    door.terminal.answer(counts)


def grant(
    username: str,
    scopes: Annotated[list[str], typer.Argument(help="such as operate")],
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Give a user more scopes; tokens show them from their next refresh on.

    Example: `muvr user grant ada operate`
    """
    door = open_door(conf, as_json=as_json)
    user = door.ask(lambda database: Users(database).grant(username, scopes))
    door.terminal.say(f"{username}: {' '.join(sorted(user.scopes))}")
    door.terminal.answer({"username": username, "scopes": sorted(user.scopes)})
