"""Users' stretches, as both engines read them."""

import asyncio
import json

import pyarrow as pa

from pipelines.activity.examples import COLUMNS
from pipelines.keys import UserKey
from pipelines.lifecycle.engines import Partitions
from store.database import Database
from store.stretches import Stretches


def read_stretches(database: Database, key: UserKey) -> pa.Table:
    """A user's stretches in the form in which Spark hands them over."""
    rows = asyncio.run(Stretches(database).of_user(*key))
    columns = {
        "user_id": [str(key[0])] * len(rows),
        "model_id": [key[1]] * len(rows),
        "session_id": [str(row.metadata.session_id) for row in rows],
        "started_at": [row.metadata.started_at for row in rows],
        "spans": [json.dumps(row.metadata.spans) for row in rows],
        "revision": [row.metadata.revision for row in rows],
        "samples": [row.samples for row in rows],
    }
    return pa.table(columns)


LABELLED_STRETCHES = Partitions("labelled_stretches", COLUMNS, read_stretches)
