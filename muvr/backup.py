"""`muvr backup` and `muvr restore`: the embedded node's tables in a folder, and back.

Beside the backups lies `erased.json`: who was erased, and when, as every later backup found it. A
restore erases them again. Keys and passwords are in no backup: after a restore on another machine
everybody logs in again.
"""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from ingest.erasure import ERASED, erase_user
from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from muvr.service import Service
from muvr.terminal import counted
from pipelines.lifecycle.runs import server_time
from schemas.errors import BadBackup, BadInput
from schemas.layout import LAYOUT
from store.cql import read_migrations
from store.database import Database
from store.migrate import FOLDER
from store.node.snapshot import MANIFEST, Backup, make_backup, read_backup, restore_files
from store.watermarks import CHANGES_KEPT, Watermarks

LEDGER = "erased.json"
STOPPING = "stopping Cassandra"
COUNTED = {
    **dict.fromkeys(("users", "sessions", "samples", "journal", "sets"), "user_id"),
    **dict.fromkeys(("models", "champions"), "owner"),
}
"""Tables from which all others follow, and the column that is read to count their rows."""
MAX_COUNT = 1_000  # counting more would read whole tables


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="where backups are; each makes a folder in it")],
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Copy all tables of the running embedded node; the service may go on meanwhile.

    Example: `muvr backup /mnt/backups/muvr`
    """
    context = open_context(conf, as_json=as_json)
    _require_own_node(context)
    now = server_time()
    make_folder(folder)
    place = folder / f"{now:%Y%m%dT%H%M%SZ}"
    with context.terminal as terminal:
        schema = context.run_async(_schema, "migrations")
        made = make_backup(
            context.node, place, now, migrations=schema, layout=LAYOUT, progress=terminal
        )
    erased = remember_erased(context, folder, now)
    context.terminal.say(
        f"{place}: {len(made.files):,} files, {made.bytes:,} bytes; "
        f"{counted(erased, 'erased user')} known."
    )
    context.terminal.answer(
        {"folder": str(place), "files": len(made.files), "bytes": made.bytes, "erased": erased}
    )


def require_one_backup(folder: Path) -> None:
    """Refuse a folder that is no backup, or that holds several.

    Raises:
        BadInput: which folder could have been meant.
    """
    if (folder / MANIFEST).exists():
        return
    if inside := sorted(one.parent for one in folder.glob(f"*/{MANIFEST}")):
        sentence = (
            f"{folder} holds {counted(len(inside), 'backup')}; name one, such as {inside[-1]}"
        )
    else:
        sentence = f"There is no whole backup in {folder}; name a folder that `muvr backup` made"
    raise BadInput(sentence, field="folder", value=folder)


def make_folder(folder: Path) -> None:
    """Make the folder of all backups now: better than failing after an hour of copying.

    Raises:
        BadInput: why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadInput(
            f"{folder} cannot be made: {problem.strerror}. Name a folder that can be written",
            field="folder",
            value=folder,
        ) from problem


def restore(
    folder: Annotated[Path, typer.Argument(help="one backup, such as …/20261121T031500Z")],
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty embedded node, and erase again who was erased since.

    The node is empty when paths.data names a new folder. Afterwards it is stopped, unless it ran.

    Example: `MUVR_PATHS__DATA=build/node2 muvr restore /mnt/backups/muvr/20261121T031500Z`
    """
    context = open_context(conf, as_json=as_json)
    _require_own_node(context)
    if Service(context.config, context.conf_path).status().running:
        raise BadBackup("The service runs; stop it first: muvr down")
    require_one_backup(folder)
    was_running = context.node.status().running
    with context.terminal as terminal:
        found = read_backup(folder, terminal)
    _require_known(found)
    try:
        _fill(context, folder, found)
        erased = _erase_again(context, folder.parent / LEDGER)
        rows = context.run_async(lambda database: _count(database, MAX_COUNT))
    finally:
        if not was_running:
            with context.terminal:
                _stop(context)
    context.terminal.table(
        f"restored, as of {to_the_second(found.made_at)}",
        ("table", "rows"),
        [(table, n if n < MAX_COUNT else f"{n:,} or more") for table, n in rows.items()],
    )
    context.terminal.say(
        f"Erased again: {erased}. Next: muvr up, with paths.data: {context.config.paths.data}"
    )
    context.terminal.answer({"made_at": found.made_at, "rows": rows, "erased_again": erased})


def remember_erased(context: CommandContext, folder: Path, now: datetime) -> int:
    """Add lately erased users to the ledger of a folder of backups; how many it holds now."""
    path = folder / LEDGER
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    lately = context.run_async(
        lambda database: Watermarks(database).changed_users([ERASED], now - CHANGES_KEPT, now)
    )
    for user_id in lately:
        known.setdefault(str(user_id), now.isoformat())
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(known, indent=1))
    os.replace(draft, path)
    return len(known)


def to_the_second(made_at: str) -> str:
    """When a backup was made, as people read it.

    >>> to_the_second("2026-11-28T20:02:46.959624+00:00")
    '2026-11-28 20:02:46 UTC'
    """
    return f"{datetime.fromisoformat(made_at):%Y-%m-%d %H:%M:%S} UTC"


def _fill(context: CommandContext, folder: Path, found: Backup) -> None:
    """Create the tables, put their files under a stopped node, and start it again.

    Raises:
        BadBackup: the node is not empty.
    """
    with context.terminal as terminal:
        if not context.node.status().running:
            context.node.start(terminal)
        context.migrate(with_roles=bool(context.config.cassandra.username))
    filled = [
        t for t, rows in context.run_async(lambda database: _count(database, 1)).items() if rows
    ]
    if filled:
        raise BadBackup(
            f"The node at {context.config.paths.data} is not empty ({', '.join(filled)}). Restore "
            "into a new folder: MUVR_PATHS__DATA=… muvr restore …"
        )
    ids = context.run_async(
        lambda database: _table_ids(database, context.config.cassandra.keyspace)
    )
    with context.terminal as terminal:  # the node starts a second time: its step begins anew
        _stop(context)
        restore_files(context.node, folder, found, ids, terminal)
        context.node.start(terminal)


def _stop(context: CommandContext) -> None:
    """Stop the node; it takes seconds, which the terminal shows."""
    context.terminal.step(STOPPING, 0, 1)
    context.node.stop()
    context.terminal.step(STOPPING, 1, 1)


def _erase_again(context: CommandContext, ledger: Path) -> int:
    users = [UUID(one) for one in json.loads(ledger.read_text())] if ledger.exists() else []

    async def question(database: Database) -> None:
        for number, user_id in enumerate(users, start=1):
            await erase_user(database, user_id, server_time())
            context.terminal.step("erasing again", number, len(users))

    with context.terminal:
        context.run_async(question)
    return len(users)


async def _schema(database: Database) -> dict[str, str]:
    rows = await database.run("SELECT name, checksum FROM migrations")
    return {row.name: row.checksum for row in rows}


async def _table_ids(database: Database, keyspace: str) -> dict[str, UUID]:
    cql = "SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = ?"
    return {row.table_name: row.id for row in await database.run(cql, (keyspace,))}


async def _count(database: Database, most: int) -> dict[str, int]:
    """Rows of the tables of `COUNTED`, each up to so many."""
    return {
        table: len(await database.run(f"SELECT {key} FROM {table} LIMIT ?", (most,)))  # noqa: S608 constant
        for table, key in COUNTED.items()
    }


def _require_known(found: Backup) -> None:
    """Refuse a backup of another shape of keys or of a later release.

    Raises:
        BadBackup: it says which.
    """
    if found.layout != LAYOUT:
        raise BadBackup(
            f"The backup's keys were shaped with {found.layout}, this code has {LAYOUT}."
        )
    here = {one.name: one.checksum for one in read_migrations(FOLDER)}
    strange = sorted(
        name for name, checksum in found.migrations.items() if here.get(name) != checksum
    )
    if strange:
        raise BadBackup(
            f"The backup was made by another release: {', '.join(strange)} differ here. Restore "
            "with that release, then update."
        )


def _require_own_node(context: CommandContext) -> None:
    if not context.config.cassandra.own_node:
        raise BadBackup(
            "These commands copy the embedded node's files. For an outside cluster use its own "
            "backups (nodetool snapshot on every node, or Medusa)."
        )
