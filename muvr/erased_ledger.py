"""The ledger of erased users beside the backups, `erased.json`, which every backup updates.

A restore erases these users again, and refuses a backup without the ledger. Where a backup is a
link, the ledger beside the link and the one beside the folder itself are read. Whoever was erased
long before a backup is not in it.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from muvr.context import CommandContext
from schemas.errors import BadBackup
from schemas.times import aware
from schemas.topics import ERASED, ERASURE_DONE
from store.changes import Changes
from store.database import Database
from store.synced import replace_synced
from store.watermarks import CHANGES_KEPT

LEDGER = "erased.json"
ERASED_BEFORE = timedelta(days=2)
"""How long before a backup an erasure has to be known, so that the backup holds nothing of the
user: clocks differ, and writes in flight are erased in the minutes after the end."""


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
    for user_id, has_ended in context.run_async(lambda db: _recently_erased(db, now)).items():
        if has_ended:
            known.setdefault(str(user_id), now.isoformat())
        else:  # this backup holds some of the user, however long the erasure has been failing
            known[str(user_id)] = now.isoformat()
    replace_synced(folder / LEDGER, json.dumps(known, indent=1).encode())
    return len(known)


async def _recently_erased(database: Database, now: datetime) -> dict[UUID, bool]:
    """Whose erasure was announced while announcements are kept, and whether it has ended once."""
    changed = await Changes(database).since(now - CHANGES_KEPT, now)
    erased = {user_id: topics for user_id, topics in changed.items() if ERASED in topics}
    return {user_id: ERASURE_DONE in topics for user_id, topics in erased.items()}


def erased_since(erased: Mapping[UUID, datetime], made_at: datetime) -> list[UUID]:
    """The users of a ledger whom a backup may hold, in order; the others were erased before it.

    Args:
        erased: since when each is known to be erased.
        made_at: when the backup was made.
    """
    return sorted(user for user, at in erased.items() if at >= made_at - ERASED_BEFORE)


def read_ledgers(folder: Path) -> dict[UUID, datetime]:
    """The users that the ledgers beside a backup name, and the last time that one gives for each.

    They lie beside its folder, and beside a link to it.

    Old backups may be moved into an archive and linked back. Later backups then go on with the
    ledger beside the link, and the one in the archive knows nobody who was erased since.

    Raises:
        BadBackup: there is neither, or one is not understood.
    """
    beside = [named.parent / LEDGER for named in (folder.absolute(), folder.resolve())]
    found = {path for path in beside if path.exists()} or beside[:1]
    ledgers = [read_ledger(path) for path in found]
    users = {user for ledger in ledgers for user in ledger}
    return {user: max(one[user] for one in ledgers if user in one) for user in sorted(users)}


def read_ledger(path: Path) -> dict[UUID, datetime]:
    """The users that backups of a folder found erased, and since when.

    Raises:
        BadBackup: there is no such file, which every backup leaves, or it is not understood.
    """
    try:
        listed = dict(json.loads(path.read_text()))
        return {UUID(user): aware(datetime.fromisoformat(at)) for user, at in listed.items()}
    except (OSError, ValueError, TypeError) as problem:
        raise BadBackup(
            f"{path} cannot be read ({type(problem).__name__}): without the list of erased users "
            "they would come back. Every `muvr backup` leaves it beside its folder: copy both."
        ) from problem
