"""Chunks that no list names are kept as dead letters, for a while and within limits."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.errors import Deleted
from schemas.events import Completion
from tests.ingest.histories import SHA, START
from tests.ingest.recorded_session import RecordedSession, RunBefore
from tests.store.memory import MemoryDeadLetters


async def test_dead_letters_per_user_and_day_are_limited() -> None:
    one = RecordedSession()
    one.records = replace(one.records, dead_letters=MemoryDeadLetters(per_day=2))
    one.recorder = one.on(one.records)
    await one.open(0, 1, 2, 3)
    await one.complete()
    letters = [
        letter
        async for letter in one.records.dead_letters.of_user(one.user, START + timedelta(minutes=5))
    ]
    assert len(letters) == 2


@pytest.mark.parametrize(("days", "letters"), [(29, 1), (30, 0)])
async def test_late_completion_keeps_dead_letters_only_of_chunks_of_thirty_days(
    days: int, letters: int
) -> None:
    session = RecordedSession()
    await session.open(0, 1)
    session.now += timedelta(days)
    for _ in range(2):
        await session.complete(0)
    stored = [
        letter async for letter in session.records.dead_letters.of_user(session.user, session.now)
    ]
    assert len(stored) == letters


async def test_deleted_session_leaves_no_dead_letters() -> None:
    session, other = RecordedSession(), RecordedSession()
    other.records, other.user = session.records, session.user
    other.recorder = other.on(other.records)
    for one in (session, other):
        await one.open(0, 1)
        await one.complete(0)
    await session.recorder.delete_session(session.user, session.session)
    left = [
        letter async for letter in session.records.dead_letters.of_user(session.user, session.now)
    ]
    assert [str(other.session) in letter.reason for letter in left] == [True]


async def test_session_that_is_deleted_while_it_is_completed_leaves_no_dead_letters() -> None:
    session = RecordedSession()
    await session.open(0, 1)

    async def delete() -> None:
        await session.recorder.delete_session(session.user, session.session)

    letters = RunBefore(session.records.dead_letters, "put", delete)
    completing = session.on(replace(session.records, dead_letters=letters))
    listed = Completion(streams={"acc": [SHA[0, 0]]})
    with suppress(Deleted):
        await completing.complete(session.user, session.session, listed)
    assert [
        letter async for letter in session.records.dead_letters.of_user(session.user, session.now)
    ] == []
