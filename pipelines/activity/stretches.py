"""The stretches that training learns from: the newest of each user, chosen before they are read.

Samples are nearly all of a stretch, and after a year most stretches are old. So the keys are read
first, by the driver, and then the rows of the chosen ones alone.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import pyarrow as pa

from pipelines.activity.examples import COLUMNS
from pipelines.keys import UserKey
from pipelines.lifecycle.chosen_rows import ChosenRows
from store.concurrency import map_concurrently
from store.database import Database
from store.stretches import Stretches, StretchKey

NEWEST_STRETCHES = 120  # of a user: at most ten hours, 120 MB of features in a task
USERS_AT_ONCE = 16  # whose keys are read: each may have thousands


def newest_stretches(database: Database, users: Sequence[UserKey]) -> ChosenRows:
    """The newest stretches of users: each pass of a run reads the same ones."""

    async def newest_of(user: UserKey) -> list[StretchKey]:
        """The keys of one user in one layout."""
        return newest_keys(await Stretches(database).row_keys(*user), NEWEST_STRETCHES)

    keys = asyncio.run(map_concurrently(newest_of, users, USERS_AT_ONCE))
    return ChosenRows(
        "labelled_stretches",
        COLUMNS,
        StretchKey._fields,
        dict(zip(users, keys, strict=True)),
        read_stretches,
    )


def newest_keys(keys: Sequence[StretchKey], newest: int) -> list[StretchKey]:
    """The keys of the newest stretches, oldest first; of a tie the greater session is the newer."""
    oldest_first = sorted(keys, key=lambda key: (key.started_at, str(key.session_id)))
    return oldest_first[max(0, len(oldest_first) - newest) :]


def read_stretches(
    database: Database, user: UserKey, keys: Sequence[tuple[UUID, datetime]]
) -> pa.Table:
    """A user's stretches in the form in which Spark hands them over."""
    rows = asyncio.run(Stretches(database).rows(*user, keys))
    columns = {
        "user_id": [str(user[0])] * len(rows),
        "model_id": [user[1]] * len(rows),
        "session_id": [str(row.metadata.session_id) for row in rows],
        "started_at": [row.metadata.started_at for row in rows],
        "spans": [json.dumps(row.metadata.spans) for row in rows],
        "revision": [row.metadata.revision for row in rows],
        "samples": [row.samples for row in rows],
    }
    return pa.table(columns)
