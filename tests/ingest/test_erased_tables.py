"""An erasure leaves no row of a user in any table, and every row of all others."""

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from ingest.erasure import erase_user
from schemas.families import BATCH_FAMILIES, EXERCISE
from schemas.ids import uuid7
from schemas.inputs import ACC3
from schemas.layout import month_of, owner_of, shard_of
from schemas.times import us_of
from store.database import Database
from store.jobs import JobRuns
from store.user_rows import USER_TABLES
from tests.cassandra_node import ON_NODE

pytestmark = ON_NODE
NOW = datetime.now(UTC)
RUN = uuid7(us_of(NOW) // 1000, uuid4().bytes[:10])
KEYSPACE = "muvr_test"
TABLES = (*USER_TABLES, "dead_letters", "users", "usernames", "logins", "champions")
OF_OWNERS = {"models", "champions"}
VALUES = MappingProxyType(
    {
        "text": "any",
        "int": 1,
        "bigint": 1,
        "smallint": 1,
        "tinyint": 1,
        "double": 0.5,
        "boolean": True,
        "blob": b"any",
        "date": NOW.date(),
        "timestamp": NOW,
    }
)
"""A value of each type of column; collections are left out."""


async def insert(database: Database, table: str, **named: object) -> None:
    """Insert a row with a value in every column; those that find it are named."""
    columns = await database.run(
        "SELECT column_name, type FROM system_schema.columns "
        "WHERE keyspace_name = ? AND table_name = ?",
        (KEYSPACE, table),
    )
    row: dict[str, Any] = {}
    for name, kind in columns:
        if name in named:
            row[name] = named[name]
        elif kind == "uuid":
            row[name] = uuid4()
        elif kind in VALUES:
            row[name] = VALUES[kind]
    marks = ", ".join("?" * len(row))
    await database.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])


async def fill(database: Database, user: UUID) -> None:
    """A row of this user in every table."""
    for table in TABLES:
        await insert(
            database,
            table,
            user_id=user,
            owner=owner_of(user),
            username=str(user),
            shard=shard_of(user),
            month=month_of(NOW.date()),
            session_id=UUID(int=user.int ^ 1),
            run_id=RUN,
            model_id=ACC3,
            family=EXERCISE,
        )


async def rows(database: Database, user: UUID) -> dict[str, list[Any]]:
    """Every row of a user, by table."""
    found: dict[str, list[Any]] = {}
    for table in TABLES:
        column, value = ("owner", owner_of(user)) if table in OF_OWNERS else ("user_id", user)
        cql = f"SELECT * FROM {table} WHERE {column} = ? ALLOW FILTERING"
        found[table] = await database.run(cql, (value,))
    return found


async def test_an_erasure_empties_every_table_of_one_user_alone(database: Database) -> None:
    erased, other = uuid4(), uuid4()
    for family in BATCH_FAMILIES:
        await JobRuns(database).start(family, RUN, {}, NOW)
    await fill(database, erased)
    await fill(database, other)
    kept = await rows(database, other)
    await insert(database, "follows", user_id=other, followee=erased)
    before = await rows(database, erased)
    assert {table for table in before if not before[table]} == set()
    await erase_user(database, erased, datetime.now(UTC))
    left = await rows(database, erased)
    assert {row.topic for row in left.pop("changes")} == {"erased", "erasure-done"}
    assert {table: found for table, found in left.items() if found} == {}
    assert await rows(database, other) == kept
    await erase_user(database, other, datetime.now(UTC))  # no other test shall meet these rows
