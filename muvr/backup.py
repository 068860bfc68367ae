"""`muvr backup` and `muvr restore`: the embedded node's tables in a folder, and back.

A restore erases again who was erased since (`muvr.erased_ledger`). Keys and passwords are in no
backup: after a restore on another machine all users must log in again. A cluster's files are copied
by its own tools; here `--erased-only` keeps the list of erased users, and erases them again.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from muvr.context import CommandContext, open_context
from muvr.erased_ledger import (
    LEDGER,
    erased_since,
    known_erased,
    read_ledger,
    read_ledgers,
    remember_erased,
)
from muvr.erasing_again import erase_again
from muvr.options import AsJson, Conf
from schemas.errors import BadBackup, BadInput
from schemas.layout import LAYOUT
from schemas.plurals import plural
from schemas.times import server_time
from store.cql import read_migrations
from store.database import Database
from store.migrate import FOLDER
from store.node.backup import MANIFEST, Backup, make_backup, read_backup
from store.node.preflight import free_ports
from store.node.restore import end_restore, restore_files, tables_on_disk

COUNTED = {
    **dict.fromkeys(("users", "sessions", "samples", "journal", "sets"), "user_id"),
    **dict.fromkeys(("models", "champions"), "owner"),
}
"""Tables from which all others follow, and the column that is read to count their rows."""
MAX_COUNT = 1_000  # counting all would read whole tables


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="where backups are; each makes a folder in it")],
    erased_only: Annotated[
        bool, typer.Option("--erased-only", help="update FOLDER/erased.json alone, for a cluster")
    ] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Copy all tables of the running embedded node; the service may go on meanwhile.

    With --erased-only no tables are copied: of a cluster, its own tools do that.

    Example: `muvr backup /mnt/backups/muvr`
    """
    context = open_context(conf, as_json=as_json)
    now = server_time()
    if erased_only:
        make_folder(folder)
        erased = remember_erased(context, folder, now)
        context.terminal.say(f"{folder / LEDGER}: {plural(erased, 'erased user')}; no tables.")
        context.terminal.answer({"folder": str(folder), "erased": erased})
        return
    _require_own_node(context)
    make_folder(folder)
    known_erased(folder)  # a damaged list fails now, not after an hour of copying
    place = folder / f"{now:%Y%m%dT%H%M%SZ}"
    with context.terminal as terminal:
        schema = context.run_async(_schema, "migrations")
        made = make_backup(
            context.node, place, now, migrations=schema, layout=LAYOUT, progress=terminal
        )
    erased = remember_erased(context, folder, now)
    context.terminal.say(
        f"{place}: {len(made.files):,} files, {made.bytes:,} bytes; "
        f"{plural(erased, 'erased user')} known."
    )
    context.terminal.answer(
        {"folder": str(place), "files": len(made.files), "bytes": made.bytes, "erased": erased}
    )


def require_one_backup(folder: Path) -> None:
    """Refuse a folder that is no backup, or that holds several.

    Raises:
        BadInput: the message names one of them.
    """
    if (folder / MANIFEST).exists():
        return
    if inside := sorted(manifest.parent for manifest in folder.glob(f"*/{MANIFEST}")):
        sentence = f"{folder} holds {plural(len(inside), 'backup')}; name one, such as {inside[-1]}"
    else:
        sentence = f"There is no whole backup in {folder}; name a folder that `muvr backup` made"
    raise BadInput(sentence, field="folder", value=folder)


def make_folder(folder: Path) -> None:
    """Make the folder of all backups now: better than failing after an hour of copying.

    Raises:
        BadInput: why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as problem:
        raise BadInput(
            f"{folder} cannot be made: {problem.strerror}. Name a folder that can be written",
            field="folder",
            value=folder,
        ) from problem


def restore(
    folder: Annotated[Path, typer.Argument(help="one backup, such as …/20261121T031500Z")],
    erased_only: Annotated[
        bool,
        typer.Option("--erased-only", help="erase who is in FOLDER/erased.json, restore nothing"),
    ] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty embedded node, and erase again who was erased since.

    The node is empty when paths.data names a new folder. Afterwards it is stopped, unless it ran.
    With --erased-only the tables stay, as after a restore of a cluster by its own tools; FOLDER is
    the one of `muvr backup FOLDER --erased-only`.

    Example: `MUVR_PATHS__DATA=build/node2 muvr restore /mnt/backups/muvr/20261121T031500Z`
    """
    context = open_context(conf, as_json=as_json)
    if context.service.status().running:
        raise BadBackup("The service runs; stop it first: muvr down")
    if erased_only:
        _erase_listed(context, folder)
        return
    _require_own_node(context)
    require_one_backup(folder)
    listed = read_ledgers(folder)
    was_running = context.node.status().running
    _require_empty(context, _filled(context) if was_running else tables_on_disk(context.node))
    with context.terminal as terminal:
        saved = read_backup(folder, terminal)
        _require_known(saved)
        if was_running:
            context.stop_node()
    erased = erased_since(listed, datetime.fromisoformat(saved.made_at))
    aside = _aside(context)
    try:
        _fill(aside, folder, saved)
        _erase_from_restored(aside, erased)
        rows = aside.run_async(lambda database: _count(database, MAX_COUNT))
    finally:
        with context.terminal as terminal:
            aside.stop_node()
            if was_running and not context.node.folders.unfinished_restore.exists():
                context.node.start(terminal)
    _tell_restored(context, saved, rows, erased=len(erased), before=len(listed) - len(erased))


def to_the_second(made_at: str) -> str:
    """The time of a backup, for display.

    >>> to_the_second("2026-11-28T20:02:46.959624+00:00")
    '2026-11-28 20:02:46 UTC'
    """
    return f"{datetime.fromisoformat(made_at):%Y-%m-%d %H:%M:%S} UTC"


def _tell_restored(
    context: CommandContext, saved: Backup, rows: Mapping[str, int], *, erased: int, before: int
) -> None:
    """Tell what was restored, and how many of the listed users were erased again or before it."""
    context.terminal.table(
        f"restored, as of {to_the_second(saved.made_at)}",
        ("table", "rows"),
        [(table, n if n < MAX_COUNT else f"{n:,} or more") for table, n in rows.items()],
    )
    context.terminal.say(
        f"Erased again: {erased}; erased long before this backup: {before}. "
        f"Next: muvr up, with paths.data: {context.config.paths.data}"
    )
    told = {"made_at": saved.made_at, "erased_again": erased, "erased_before": before}
    context.terminal.answer({**told, "rows": rows})


def _aside(context: CommandContext) -> CommandContext:
    """The same node on ports that nobody else knows: half of a deployment must not be read."""
    port, storage_port, jmx_port = free_ports(3)
    ports = {"port": port, "storage_port": storage_port, "jmx_port": jmx_port}
    cassandra = context.config.cassandra.model_copy(update=ports)
    config = context.config.model_copy(update={"cassandra": cassandra})
    return CommandContext(config, context.conf_path, context.terminal)


def _filled(context: CommandContext) -> set[str]:
    """The tables of a running node that have rows, of those in `COUNTED`."""
    context.migrate(with_roles=bool(context.config.cassandra.username))
    counted = context.run_async(lambda database: _count(database, 1))
    return {table for table, rows in counted.items() if rows}


def _fill(context: CommandContext, folder: Path, saved: Backup) -> None:
    """Create the tables, put their files under a stopped node, and start it again.

    Raises:
        BadBackup: the node is not empty.
    """
    with context.terminal as terminal:
        context.node.start(terminal)
    _require_empty(context, _filled(context))
    ids = context.run_async(
        lambda database: _table_ids(database, context.config.cassandra.keyspace)
    )
    with context.terminal as terminal:  # the node starts again: a new step of the same name
        context.stop_node()
        restore_files(context.node, folder, saved, ids, terminal)
        context.node.start(terminal, restoring=True)


def _require_empty(context: CommandContext, filled: Set[str]) -> None:
    """Refuse a node in which tables of people's data are filled.

    Raises:
        BadBackup: which of them.
    """
    if filled_tables := [table for table in COUNTED if table in filled]:
        raise BadBackup(
            f"The node at {context.config.paths.data} is not empty ({', '.join(filled_tables)}). "
            "Restore into a new folder: MUVR_PATHS__DATA=… muvr restore …"
        )


def _erase_listed(context: CommandContext, folder: Path) -> None:
    """Erase who is in a folder's list from a cluster that its own tools restored."""
    erased = read_ledger(folder / LEDGER)
    erase_again(context, [*erased], lambda: None)
    context.terminal.say(f"Erased again: {len(erased)}.")
    context.terminal.answer({"erased_again": len(erased)})


def _erase_from_restored(context: CommandContext, users: Sequence[UUID]) -> None:
    """Erase users from a restored node, which does not start again before all are announced."""
    erase_again(context, users, lambda: end_restore(context.node))


async def _schema(database: Database) -> dict[str, str]:
    rows = await database.run("SELECT name, checksum FROM migrations")
    return {row.name: row.checksum for row in rows}


async def _table_ids(database: Database, keyspace: str) -> dict[str, UUID]:
    cql = "SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = ?"
    return {row.table_name: row.id for row in await database.run(cql, (keyspace,))}


async def _count(database: Database, most: int) -> dict[str, int]:
    """The numbers of rows of the tables in `COUNTED`, each at most `most`."""
    return {
        table: len(await database.run(f"SELECT {key} FROM {table} LIMIT ?", (most,)))  # noqa: S608 constant
        for table, key in COUNTED.items()
    }


def _require_known(saved: Backup) -> None:
    """Refuse a backup with another key layout or of a later release.

    Raises:
        BadBackup: which of the two.
    """
    if saved.layout != LAYOUT:
        raise BadBackup(
            f"The backup's keys were shaped with {saved.layout}, this code has {LAYOUT}."
        )
    here = {migration.name: migration.checksum for migration in read_migrations(FOLDER)}
    differing = sorted(
        name for name, checksum in saved.migrations.items() if here.get(name) != checksum
    )
    if differing:
        raise BadBackup(
            f"The backup was made by another release: {', '.join(differing)} differ here. Restore "
            "with that release, then update."
        )


def _require_own_node(context: CommandContext) -> None:
    if not context.config.cassandra.own_node:
        raise BadBackup(
            "These commands copy the embedded node's files. For an outside cluster use its own "
            "backups (nodetool snapshot on every node, or Medusa), and --erased-only here for the "
            "list of erased users."
        )
