"""Two workers at the same instant: every answer given stays true."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.recordings import load_recordings
from ingest.stored_session import with_lists
from ingest.sweeper import sweep_user
from schemas.errors import AmbiguousChunks, Deleted, EventConflict, MuvrError, StaleRevision
from schemas.events import Completion, SessionOpening
from store.database import Database
from store.records import Records, records_in
from tests.ingest.costs import FreeRecorder
from tests.ingest.histories import (
    CHUNKS,
    LIMITS,
    SHA,
    START,
    STREAM,
    confirmation,
    new_id,
)
from tests.ingest.jittered import jittered
from tests.store.memory import memory_records


class Two:
    """One session, two workers over one store."""

    def __init__(self, records: Records, seed: int) -> None:
        self.records = records
        self.user, self.session = uuid4(), new_id()
        self.now = START + timedelta(minutes=1)
        self.workers = [
            FreeRecorder(jittered(records, seed + n), LIMITS, self.clock) for n in range(2)
        ]

    def clock(self) -> datetime:
        """Both workers read the same millisecond: the hardest case."""
        return self.now

    async def both(self, *calls: Any) -> list[Any]:
        """The results of calls at the same time; errors of ours are results."""
        done = await asyncio.gather(*calls, return_exceptions=True)
        for one in done:
            if isinstance(one, BaseException) and not isinstance(one, MuvrError):
                raise one
        self.now += timedelta(seconds=1)
        return done

    async def open(self, streams: dict | None = None) -> None:
        opening = SessionOpening(
            started_at=START, timezone="UTC", streams=streams or {"acc": STREAM}
        )
        await self.both(*(w.open_session(self.user, self.session, opening) for w in self.workers))

    def put(self, worker: int, seq: int, variant: int) -> Any:
        chunk = CHUNKS[seq, variant]
        return self.workers[worker].put_chunk(self.user, self.session, "acc", seq, chunk)

    def complete(self, worker: int, *keys: tuple[int, int]) -> Any:
        listed = Completion(streams={"acc": [SHA[key] for key in keys]})
        return self.workers[worker].complete(self.user, self.session, listed)


def kinds(results: list[Any]) -> list[type]:
    return [type(result) for result in results if isinstance(result, MuvrError)]


async def _bodies_race(two: Two) -> None:
    """Both bodies are durable and shown; the list decides; the other one is a dead letter."""
    await two.open()
    results = await two.both(two.put(0, 0, 0), two.put(1, 0, 1), two.put(0, 1, 0), two.put(1, 1, 0))
    assert kinds(results) == []
    held = (await two.workers[0].stored_chunk_numbers(two.user, two.session))["acc"]
    assert (held.ranges, set(held.several)) == ([[0, 1]], {0})
    assert set(held.several[0]) == {SHA[0, 0], SHA[0, 1]}
    session = await two.workers[0].session(two.user, two.session)
    with pytest.raises(AmbiguousChunks):
        await load_recordings(await with_lists(two.records, two.user, session))
    await two.complete(1, (0, 1), (1, 0))
    (recording,), _ = await load_recordings(await with_lists(two.records, two.user, session))
    assert [piece.counts[0, 0] for piece in recording.acc] == [1, 10]
    letters = [letter async for letter in two.records.dead_letters.of_user(two.user, two.clock())]
    assert len(letters) == 1
    assert "another body" in letters[0].reason


async def _lists_race(two: Two) -> None:
    """One of two contradicting lists is accepted, and it decides the session."""
    await two.open()
    await two.both(two.put(0, 0, 0), two.put(1, 0, 1))
    results = await two.both(two.complete(0, (0, 0)), two.complete(1, (0, 1)))
    assert kinds(results) == [EventConflict]
    won = [n for n, one in enumerate(results) if not isinstance(one, MuvrError)][0]
    session = await two.workers[0].session(two.user, two.session)
    (recording,), _ = await load_recordings(await with_lists(two.records, two.user, session))
    assert [piece.counts[0, 0] for piece in recording.acc] == [won]


async def _extensions_race(two: Two) -> None:
    """A list and its extension at once: both are answered, the longer one stands."""
    await two.open()
    await two.both(two.put(0, 0, 0), two.put(1, 1, 0), two.put(1, 2, 0))
    short, long = [(0, 0), (1, 0)], [(0, 0), (1, 0), (2, 0)]
    results = await two.both(two.complete(0, *short), two.complete(1, *long))
    assert kinds(results) == []
    lists = await two.records.sessions.lists(two.user, two.session)
    assert len(lists["acc"].hashes) == 3
    session = await two.records.sessions.read(two.user, two.session)
    assert session is not None
    assert session.complete
    assert session.ended_at == START + timedelta(seconds=3)


async def _corrections_race(two: Two) -> None:
    """One of two corrections of a revision is kept; the other is refused as stale."""
    await two.open()
    await two.both(two.put(0, 0, 0), two.put(1, 1, 0))
    set_id = new_id()

    def say(worker: int, content: int, etag: int | None = None) -> Any:
        said = confirmation(0, content)
        if etag is not None:
            said = said.model_copy(update={"reps": 20})  # another than is confirmed
        return two.workers[worker].confirm_set(two.user, two.session, set_id, said, etag)

    results = await two.both(say(0, 0), say(1, 0), say(1, 1))
    # Any of them may fill the slot first: the others repeat it or get a conflict.
    assert set(kinds(results)) == {EventConflict}
    first = next(result for result in results if not isinstance(result, MuvrError))
    results = await two.both(say(0, 0, first.revision), say(1, 1, first.revision))
    assert kinds(results) == [StaleRevision]
    kept = next(result for result in results if not isinstance(result, MuvrError))
    row = await two.records.sets.read(two.user, two.session, set_id)
    assert row == kept
    labelled = await two.records.labelled.of_user(two.user, "wrist-acc3")
    assert [(one.exercise, one.revision) for one in labelled] == [(kept.exercise, kept.revision)]


async def _correction_and_deletion_race(two: Two) -> None:
    """A correction and a deletion of one revision: one is done, the other is refused."""
    await two.open()
    set_id = new_id()
    place = (two.user, two.session, set_id)
    first = await two.workers[0].confirm_set(*place, confirmation(0, 0), None)
    two.now += timedelta(seconds=1)
    corrected, deleted = await two.both(
        two.workers[0].confirm_set(*place, confirmation(0, 1), first.revision),
        two.workers[1].delete_set(*place, first.revision),
    )
    row = await two.records.sets.read(*place)
    if isinstance(deleted, StaleRevision):
        assert row == corrected
        assert str(corrected.revision) in str(deleted)
    else:
        assert (deleted, row) == (None, None)
        assert isinstance(corrected, Deleted)
        await two.workers[0].delete_set(*place, first.revision)  # a repeat


async def _declarations_race(two: Two) -> None:
    """Of two devices that declare a stream differently one gets a conflict."""
    openings = [
        SessionOpening(started_at=START, streams={"acc": {**STREAM, "unit": unit}})
        for unit in ("g", "m/s2")
    ]
    results = await two.both(
        *(
            worker.open_session(two.user, two.session, opening)
            for worker, opening in zip(two.workers, openings, strict=True)
        )
    )
    assert kinds(results) == [EventConflict]
    won = [n for n, one in enumerate(results) if not isinstance(one, MuvrError)][0]
    session = await two.records.sessions.read(two.user, two.session)
    assert session is not None
    assert session.streams["acc"]["unit"] == openings[won].streams["acc"].unit


async def _deletion_race(two: Two) -> None:
    """A deletion concurrent with writes of every kind: nothing is left or comes back."""
    await two.open()
    await two.both(two.put(0, 0, 0), two.put(0, 1, 0))
    set_id = new_id()
    said = confirmation(0, 0)
    await two.both(
        two.workers[0].delete_session(two.user, two.session),
        two.put(1, 2, 0),
        two.complete(1, (0, 0), (1, 0)),
        two.workers[1].confirm_set(two.user, two.session, set_id, said),
    )
    await sweep_user(two.records, two.user, START, two.clock())
    records, user, session = two.records, two.user, two.session
    assert await records.sessions.read(user, session) is None
    assert await records.sessions.lists(user, session) == {}
    assert await records.samples.metadata(user, session, "acc", [0]) == []
    assert await records.sets.of_user(user) == []
    assert await records.labelled.revisions(user) == []
    for worker in two.workers:
        with pytest.raises(Deleted):
            await worker.session(user, session)


RACES = [
    _bodies_race,
    _lists_race,
    _extensions_race,
    _corrections_race,
    _correction_and_deletion_race,
    _declarations_race,
    _deletion_race,
]


@pytest.mark.parametrize("race", RACES)
def test_concurrent_writes_keep_every_answer_true_in_memory(race: Any) -> None:
    @settings(max_examples=150, deadline=None, database=None)
    @given(st.integers(0, 2**32))
    def run(seed: int) -> None:
        asyncio.run(race(Two(memory_records(), seed)))

    run()


@pytest.mark.parametrize("race", RACES)
async def test_concurrent_writes_keep_every_answer_true_on_cassandra(
    race: Any, database: Database
) -> None:
    for seed in range(3):
        await race(Two(records_in(database, LIMITS), seed))
