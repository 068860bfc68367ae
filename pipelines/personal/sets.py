"""Users' confirmed sets, as both engines read them."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pyarrow as pa

from pipelines.keys import UserKey
from pipelines.lifecycle.engines import Partitions
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.scope import Scope
from pipelines.lifecycle.set_logs import COLUMNS, REVISIONS, USER_KEY, partition_of
from schemas.inputs import SETS
from store.database import Database
from store.sets import Sets


def read_sets(database: Database, key: UserKey) -> pa.Table:
    """A user's sets in the form in which Spark hands them over."""
    rows = asyncio.run(Sets(database).trained(key[0]))
    return partition_of(key[0], [row._asdict() for row in rows])


CONFIRMED_SETS = Partitions("sets", (*COLUMNS, *REVISIONS), read_sets, USER_KEY)


def sets_scope(job: Job, users: Sequence[UUID] | None) -> Scope:
    """The sets of some users; None: of everybody, whom Spark meets when it scans the table."""
    whole = users is None
    if users is None:
        users = asyncio.run(Sets(job.database).users()) if job.engine == "local" else ()
    return Scope(tuple((user, SETS) for user in users), whole)
