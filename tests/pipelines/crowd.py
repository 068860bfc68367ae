"""Simulated people as the store holds them: their confirmed sets and follows."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf, nan
from uuid import UUID, uuid4

from models.population.model import SimulatedUser
from models.population.simulate import simulate
from schemas.config import Cassandra
from store.database import Database, Statement
from tests.spark_session import emptied

PEOPLE, WEEKS = 30, 12

SET = (
    "INSERT INTO sets (user_id, session_id, set_id, exercise, started_at, ended_at, reps, "
    "weight_kg, intensity, label_source, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'typed', 1)"
)
FOLLOW = "INSERT INTO follows (user_id, followee, since) VALUES (?, ?, ?)"
USER = "INSERT INTO usernames (user_id, username) VALUES (?, ?)"


IMPOSSIBLE = (
    {"exercise": None, "started_at": None},
    {"weight_kg": nan},
    {"weight_kg": inf},
    {"weight_kg": -1.0},
    {"intensity": 1e200},
    {"intensity": -inf},
    {"reps": 2_000_000_000},
    {"started_at": datetime(2199, 1, 1, tzinfo=UTC)},
    {"started_at": 253_402_300_800_000},  # ms: in the year 10000
)
"""What only CQL writes, each of another person."""


def crowd() -> list[SimulatedUser]:
    """The people whom the tests of batch and personal families share."""
    return list(simulate(PEOPLE, WEEKS, 3))


@contextmanager
def settled(settings: Cassandra, people: Sequence[SimulatedUser]) -> Generator[Database]:
    """A connection to Spark's keyspace that holds what these people did, and nothing else."""
    with emptied(settings) as database:
        settle(database, people)
        yield database


def settle(database: Database, people: Sequence[SimulatedUser]) -> None:
    """Write what the people did."""
    ids = [person.user_id for person in people]
    statements = [Statement(USER, (person.user_id, str(person.index))) for person in people]
    for person in people:
        statements += [
            Statement(FOLLOW, (person.user_id, ids[n], datetime(2026, 1, 1, tzinfo=UTC)))
            for n in person.follows
        ]

    async def write() -> None:
        await database.run_all(statements, limit=256)
        for person in people:  # the sets of a user are one partition
            sets = [Statement(SET, (person.user_id, *_set(set_))) for set_ in person.sets()]
            await database.run_batch(sets)

    asyncio.run(write())


def write_impossible(
    database: Database, people: Sequence[SimulatedUser]
) -> list[tuple[UUID, UUID, UUID]]:
    """Write one impossible set of each person, as their newest one; the keys of the rows."""
    keys = [(person.user_id, uuid4(), uuid4()) for person in people]
    for person, key, values in zip(people, keys, IMPOSSIBLE, strict=True):
        newest = datetime.fromtimestamp(max(set_.started_s for set_ in person.sets()), UTC)
        row = {"exercise": "squat", "started_at": newest, "reps": 8, "weight_kg": 60.0}
        row |= {"intensity": 0.7, "revision": 1} | values
        database.execute(
            f"INSERT INTO sets (user_id, session_id, set_id, {', '.join(row)}) "
            f"VALUES (?, ?, ?{', ?' * len(row)})",
            (*key, *row.values()),
        )
    return keys


def _set(one) -> tuple[object, ...]:
    at = datetime.fromtimestamp(one.started_s, UTC)
    session = UUID(one.session)
    return session, one.set_id, one.exercise, at, at, one.reps, one.weight_kg, one.intensity
