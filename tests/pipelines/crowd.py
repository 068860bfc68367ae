"""Simulated people as the store holds them: their confirmed sets and follows."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

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
        statements += [Statement(SET, (person.user_id, *_set(set_))) for set_ in person.sets()]
    asyncio.run(database.run_all(statements, limit=256))


def _set(one) -> tuple[object, ...]:
    at = datetime.fromtimestamp(one.started_s, UTC)
    session = UUID(one.session)
    return session, one.set_id, one.exercise, at, at, one.reps, one.weight_kg, one.intensity
