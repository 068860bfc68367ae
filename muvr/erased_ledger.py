"""The ledger of erased users beside the backups, `erased.json`, which every backup updates.

A restore erases these users again, and refuses a backup without the ledger. Where a backup is a
link, the ledger beside the link and the one beside the folder itself are read.
"""

import json
from datetime import datetime
from pathlib import Path
from uuid import UUID

from muvr.context import CommandContext
from schemas.errors import BadBackup
from schemas.topics import ERASED
from store.synced import replace_synced
from store.watermarks import CHANGES_KEPT, Watermarks

LEDGER = "erased.json"


def known_erased(folder: Path) -> dict[str, str]:
    """Whom earlier backups of a folder found erased, and since when; nobody before the first one.

    Raises:
        BadBackup: the ledger is not understood; a backup would replace it.
    """
    path = folder / LEDGER
    if not path.exists():
        return {}
    try:
        read_ledger(path)
        return dict(json.loads(path.read_text()))
    except BadBackup as problem:
        raise BadBackup(
            f"{path} is damaged: it lists who must stay erased after a restore. Put back a whole "
            "copy of it, or move it away: the next backup lists who was erased in the last "
            f"{CHANGES_KEPT.days} days, and nobody before."
        ) from problem


def remember_erased(context: CommandContext, folder: Path, now: datetime) -> int:
    """Add recently erased users to the ledger of a folder of backups; how many it lists now.

    Raises:
        BadBackup: the ledger is not understood.
    """
    known = known_erased(folder)
    recently_erased = context.run_async(
        lambda database: Watermarks(database).changed_users([ERASED], now - CHANGES_KEPT, now)
    )
    for user_id in recently_erased:
        known.setdefault(str(user_id), now.isoformat())
    replace_synced(folder / LEDGER, json.dumps(known, indent=1))
    return len(known)


def read_ledgers(folder: Path) -> list[UUID]:
    """The users that the ledgers beside a backup name: beside its folder, and beside a link to it.

    Old backups may be moved into an archive and linked back. Later backups then go on with the
    ledger beside the link, and the one in the archive knows nobody who was erased since.

    Raises:
        BadBackup: there is neither, or one is not understood.
    """
    beside = [named.parent / LEDGER for named in (folder.absolute(), folder.resolve())]
    found = {path for path in beside if path.exists()} or beside[:1]
    return sorted({user for path in found for user in read_ledger(path)})


def read_ledger(path: Path) -> list[UUID]:
    """The users that backups of a folder found erased.

    Raises:
        BadBackup: there is no such file, which every backup leaves, or it is not understood.
    """
    try:
        return [UUID(user_id) for user_id in dict(json.loads(path.read_text()))]
    except (OSError, ValueError, TypeError) as problem:
        raise BadBackup(
            f"{path} cannot be read ({type(problem).__name__}): without the list of erased users "
            "they would come back. Every `muvr backup` leaves it beside its folder: copy both."
        ) from problem
