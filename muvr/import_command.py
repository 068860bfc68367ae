"""`muvr import`: recordings of files and public data sets, sent as clients would."""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from ingest.importers.csv_files import read_csv
from ingest.importers.gym import read_gym
from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import read_spar
from models.signal.pieces import Side
from muvr.context import CommandContext, open_context
from muvr.importing import days_to_move, import_recordings
from muvr.options import AsJson, Conf, has_terminal, prompted_password, stored_name
from schemas.errors import BadInput
from schemas.events import known_timezone

ImportSource = Literal["spar", "gym", "csv"]
"""What can be imported."""


class PublicSource(NamedTuple):
    """A public data set.

    Attributes:
        read: its recordings, from a folder.
        username_prefix: begins the names of the users that its people become.
    """

    read: Callable[[Path], list[ImportedRecording]]
    username_prefix: str


class ReadRecordings(NamedTuple):
    """What is to be sent.

    Attributes:
        recordings: as they were read.
        username_prefix: begins the names of the users that their people become.
        moved_days: how much later they are dated than they were made.
    """

    recordings: Sequence[ImportedRecording]
    username_prefix: str
    moved_days: int = 0


PUBLIC_SOURCES = {
    "spar": PublicSource(read_spar, "spar10"),  # spar-01 … are users of the demo
    "gym": PublicSource(read_gym, "gym"),
}

HELP = """
Send recordings through the running service, as clients would.

`spar` and `gym` are public data sets; each of their people becomes a user (`spar10-01` …,
`gym-gym-lifter`). `csv` is a file of one's own, or a folder of them. A file is one recording of
one wrist, with commas and a header:

- `time` (2026-11-21T10:00:00.02Z, or without Z in `--timezone`), or `time_s`, `time_ms` or
`time_ns` since 1970 or, if they begin at 0, since `--start`; ascending

- `acc_x_g` `acc_y_g` `acc_z_g`, or `acc_x_m_s2` …, with Apple's sign: at rest, face up, z is
-1 g; negate the three columns of an Android device

- with a gyroscope `gyro_x_rad_s` …, or `gyro_x_deg_s` …; a sensor may be empty or nan in a line

- where it is known what was done, `exercise` in every line of a set and in no other; idle,
rest, none, null, nan, 0 and - are no exercise; a minute without lines ends a set; `set` tells
neighbouring sets of one exercise apart, and holds one with a longer gap together; `reps` and
`weight_kg` in any line of the set

Other columns are not read, and named. Such as:

`time,acc_x_g,acc_y_g,acc_z_g,exercise,reps`

`2026-11-21T10:00:00.02Z,0.02,-0.11,-0.98,bench press,10`

Without `--password`, off a terminal, nobody can log in as the new people of `spar` and `gym`, nor
import them again, until `muvr user password NAME` sets one; `csv` needs it. Importing again, with
the same password, adds nothing. One's own recordings keep their times: those of more than
`limits.clock_past_days` ago (400) are refused. Public ones move as a whole by full years of 364
days into the last one, so that importing them again after a year adds them again; those that span
more than five weeks may move by further weeks.

Example: `muvr import csv watch.csv --user ada --side left --timezone Europe/London`

Example: `muvr up && muvr import spar --password "a long one"`
"""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("import", help=HELP)(import_)


def zone(name: str | None) -> str | None:
    """The name of a time zone; None where none is given.

    Raises:
        BadInput: there is none of this name.
    """
    try:
        return name and known_timezone(name)
    except ValueError as problem:
        raise BadInput(str(problem), field="--timezone", value=name) from problem


def import_(
    source: Annotated[ImportSource, typer.Argument(help="where the recordings come from")],
    path: Annotated[Path | None, typer.Argument(help="file or folder; spar has its own")] = None,
    user: Annotated[
        str, typer.Option(callback=stored_name, help="csv: whose recordings; registered if new")
    ] = "",
    side: Annotated[Side | None, typer.Option(help="csv: the wrist that wore the device")] = None,
    timezone: Annotated[
        str | None, typer.Option(callback=zone, help="csv: where it was; UTC if not given")
    ] = None,
    start: Annotated[str, typer.Option(help="csv: when times that count from 0 began")] = "",
    password: Annotated[
        str, typer.Option(help="of whoever is new; asked for on a terminal when it is not said")
    ] = "",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Send recordings through the running service; `HELP` is shown for it."""
    context = open_context(conf, as_json=as_json)
    _check_options(source, path, user, (side, timezone, start))
    password = _password(context, source, password)
    with context.terminal as terminal:
        if source == "csv" and path is not None:
            found = ReadRecordings(read_csv(path, user, side, timezone, terminal, start), "csv")
        else:
            found = _read_public(source, path or context.config.paths.datasets)
        counts = _send(context, found, user, password)
    context.terminal.table(f"imported {source}", ("what", "count"), list(counts.items()))
    context.terminal.answer(counts)


def _check_options(
    source: ImportSource, path: Path | None, user: str, csv_options: Sequence[str | None]
) -> None:
    """Refuse options that a source does not know, or that it misses.

    Raises:
        BadInput: names them.
    """
    if path is None and source != "spar":
        raise BadInput(f"{source} needs the path of its files", field="path")
    if source == "csv" and not user:
        raise BadInput("csv needs --user: whose recordings they are", field="--user")
    if source != "csv" and (user or any(csv_options)):
        options = "--user, --side, --timezone and --start"
        raise BadInput(f"{options} are for csv; {source} knows its people")


def _password(context: CommandContext, source: ImportSource, given: str) -> str:
    """The password of new users: as given, or asked for.

    Off a terminal the people of a public source get one that nobody knows.

    Raises:
        BadInput: of `csv` there is none, and no terminal to ask for it.
    """
    if given or has_terminal() or source == "csv":
        return prompted_password(given)
    context.terminal.notes(
        [
            f"no --password is said for the people of {source}: where they are new, nobody can log "
            "in as them, nor import them again, until `muvr user password NAME` sets one"
        ]
    )
    return secrets.token_urlsafe()


def _read_public(source: ImportSource, folder: Path) -> ReadRecordings:
    """The recordings of a public data set, moved into the last year."""
    read, username_prefix = PUBLIC_SOURCES[source]
    recordings = read(folder)
    return ReadRecordings(recordings, username_prefix, days_to_move(recordings))


def _send(
    context: CommandContext, found: ReadRecordings, user: str, password: str
) -> dict[str, int]:
    """Send recordings through the running service; how many of what it has taken.

    Raises:
        ServiceFailed: it does not run, or refuses one.
    """
    context.terminal.notes(remark for one in found.recordings for remark in one.remarks)
    with context.service.checked_url() as url:
        return import_recordings(
            url,
            found.username_prefix,
            found.recordings,
            password,
            context.terminal,
            user or None,
            moved_days=found.moved_days,
        )
