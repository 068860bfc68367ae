"""Whether a run has read what recently changed users have, for every kind of change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

import pytest

from pipelines.lifecycle import recent
from pipelines.lifecycle.recent import METRIC, recent_inputs
from pipelines.lifecycle.runs import run_id_at
from pipelines.lifecycle.scope import changes
from schemas.inputs import ACC6
from schemas.times import us_of
from schemas.topics import Topic
from store.champions import Champions
from store.changes import Changes
from store.database import Database
from store.follows import Follows
from store.jobs import JobRuns
from store.sets import SetRow, Sets
from store.stretches import StoredStretch, Stretches, StretchMetadata
from store.users import User, Users
from store.watermarks import ANNOUNCED_BEFORE, Watermarks
from tests.cassandra_node import ON_NODE

pytestmark = ON_NODE

TOPICS: tuple[Topic, ...] = ("sets", "stretches", "follows", "registered")
DAYS = (datetime(2031, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in count())
"""Each story has a day of its own, on which no other test announces anything."""
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
SESSION, SET = uuid4(), uuid4()


def confirmed(revision: int) -> SetRow:
    return SetRow(
        session_id=SESSION,
        set_id=SET,
        exercise="curl",
        started_at=AT,
        ended_at=AT,
        reps=8,
        weight_kg=None,
        intensity=None,
        label_source="typed",
        revision=revision,
    )


def stretch(revision: int) -> StoredStretch:
    return StoredStretch(StretchMetadata(ACC6, SESSION, AT, AT, (), revision), b"samples")


async def correct_set(database: Database, user: UUID) -> None:
    await Sets(database).put(user, confirmed(2))


async def delete_set(database: Database, user: UUID) -> None:
    await Sets(database).delete(user, SESSION, SET, 3)


async def replace_stretch(database: Database, user: UUID) -> None:
    await Stretches(database).replace(user, SESSION, [stretch(2)], 2, 1000)


async def follow(database: Database, user: UUID) -> None:
    await Follows(database).put(user, uuid4(), AT)


async def register(database: Database, user: UUID) -> None:
    await Users(database).register(User(user, f"late-{user.hex}", "", frozenset(), AT))


LATE_WRITES = [correct_set, delete_set, replace_stretch, follow, register]


class History:
    """A family of its own whose first run began at `now`, a minute after a change of a user."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database, self.now = database, now
        self.family, self.user = f"made-{uuid4().hex[:8]}", uuid4()
        asyncio.run(Sets(database).put(self.user, confirmed(1)))
        asyncio.run(Stretches(database).replace(self.user, SESSION, [stretch(1)], 1, 1000))
        self.announce(now - timedelta(minutes=1))
        self.run_id = run_id_at(now)

    def announce(self, at: datetime) -> None:
        asyncio.run(Changes(self.database).announce(self.user, "sets", us_of(at)))

    def run(self) -> None:
        """What a run leaves that has read everything."""
        metrics = {METRIC: recent_inputs(self.database, TOPICS, self.now)}
        runs = JobRuns(self.database)
        asyncio.run(runs.start(self.family, self.run_id, {}, self.now))
        asyncio.run(
            runs.finish(
                self.family, self.run_id, "done", self.now, counts={}, metrics=metrics, reasons={}
            )
        )
        until = self.now - ANNOUNCED_BEFORE
        asyncio.run(Watermarks(self.database).advance(self.family, self.run_id, until, self.now))

    def changes(self, topics: Sequence[Topic] = TOPICS) -> str:
        return changes(self.database, self.family, topics, self.now + timedelta(minutes=2))


@pytest.fixture
def history(database: Database) -> History:
    return History(database, next(DAYS))


def test_first_run_reads_everything_and_what_it_has_read_is_not_new(history: History) -> None:
    assert history.changes() == "new"
    history.run()
    assert history.changes() == "read"


@pytest.mark.parametrize("write", LATE_WRITES, ids=lambda write: write.__name__)
def test_what_is_written_after_the_run_that_its_announcement_precedes_is_new(
    history: History, write: Callable[[Database, UUID], Awaitable[None]]
) -> None:
    history.run()
    asyncio.run(write(history.database, history.user))
    assert history.changes() == "new"


def test_later_announcement_is_new_even_of_what_is_equal(history: History) -> None:
    history.run()
    history.announce(history.now + timedelta(seconds=1))
    assert history.changes() == "new"


def test_late_announcement_of_a_clock_that_is_behind_is_new(history: History) -> None:
    history.run()
    other = History(history.database, history.now)
    assert history.changes() == "new"
    history.run()
    assert other.changes() == "new"


def test_withdrawn_run_has_read_nothing(history: History) -> None:
    history.run()
    asyncio.run(Champions(history.database).withdraw(history.run_id, "a bad night", history.now))
    assert history.changes() == "new"


def test_of_too_many_recent_users_nothing_is_known(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MAX_USERS", 0)
    history.run()
    assert history.changes() == "new"


def test_without_any_announcement_nothing_changed(history: History) -> None:
    history.run()
    assert history.changes(["plans"]) == "none"
