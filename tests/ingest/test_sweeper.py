"""What a crash left half done is found and finished; everything else stays as it is."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ingest.recorder import Recorder
from ingest.replay import replay
from ingest.sweeper import Projected, project_pending, sweep
from models.signal.pieces import unpack_pieces
from schemas.errors import DatabaseAway
from schemas.events import Completion, SessionOpening
from schemas.ids import slot
from schemas.times import us_of
from store.journal import Event
from store.memory import memory_records
from store.records import Records
from store.sets import LABELLED_S, MODEL_IDS
from tests.ingest.histories import (
    CHUNKS,
    LIMITS,
    SHA,
    START,
    STREAM,
    confirmation,
    new_id,
)

NOW = START + timedelta(minutes=2)
GYRO = {**STREAM, "kind": "gyro", "unit": "rad/s"}


class Story:
    """One user's session in memory."""

    def __init__(self, **streams: Any) -> None:
        self.records = memory_records()
        self.user, self.session, self.set = uuid4(), new_id(), new_id()
        self.recorder = self.on(self.records)
        self.streams = streams or {"acc": STREAM}
        self.now = START + timedelta(minutes=1)

    def on(self, records: Records) -> Recorder:
        return Recorder(records, LIMITS, self.clock)

    def clock(self) -> Any:
        self.now += timedelta(milliseconds=1)
        return self.now

    async def open(self, *numbers: int) -> None:
        opening = SessionOpening(started_at=START, streams=self.streams)
        await self.recorder.open_session(self.user, self.session, opening)
        await self.put(*numbers)

    async def put(self, *numbers: int, variant: int = 0) -> None:
        for seq in numbers:
            chunk = CHUNKS[seq, variant]
            await self.recorder.put_chunk(self.user, self.session, "acc", seq, chunk)

    async def confirm(self, content: int = 0, etag: int | None = None) -> Any:
        said = confirmation(0, content)
        return await self.recorder.confirm_set(self.user, self.session, self.set, said, etag)

    async def complete(self, *numbers: int) -> Any:
        listed = Completion(streams={"acc": [SHA[seq, 0] for seq in numbers]})
        return await self.recorder.complete(self.user, self.session, listed)

    async def labelled(self) -> list[str]:
        rows = await self.records.sets.labelled(self.user, "wrist-acc3")
        return [row.exercise for row in rows]


class Dying:
    """A repository whose process dies at one method."""

    def __init__(self, inner: object, at: str) -> None:
        self._inner, self._at = inner, at

    def __getattr__(self, name: str) -> Any:
        if name == self._at:
            raise DatabaseAway("died here")
        return getattr(self._inner, name)


class DyingLater(Dying):
    """One whose process dies at the n-th call of a method, counted from 0."""

    def __init__(self, inner: object, at: str, calls: int) -> None:
        super().__init__(inner, at)
        self._left = calls

    def __getattr__(self, name: str) -> Any:
        if name == self._at and self._left:
            self._left -= 1
            return getattr(self._inner, name)
        return super().__getattr__(name)


@pytest.mark.parametrize("repository_and_method", ["sets.put_all", "sets.put_labelled"])
def test_a_journaled_set_that_was_not_projected_is_found(repository_and_method: str) -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        repository, method = repository_and_method.split(".")
        inner = getattr(one.records, repository)
        dying = replace(one.records, **{repository: Dying(inner, method)})
        with pytest.raises(DatabaseAway):
            await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
        assert await one.labelled() == []
        swept = await sweep(one.records, START, NOW)
        assert (swept.users, swept.labelled, swept.failed) == (1, 1, ())
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


def test_what_a_process_has_projected_is_not_projected_by_it_again() -> None:
    async def story() -> None:
        one, projected = Story(), Projected()
        await one.open(0, 1)
        await one.confirm()
        first = await sweep(one.records, START, NOW, projected=projected)
        assert first.events > 0
        unwritable = replace(one.records, sets=Dying(one.records.sets, "put_all"))
        with pytest.raises(DatabaseAway):
            await sweep(unwritable, START, NOW)
        again = await sweep(unwritable, START, NOW, projected=projected)
        assert (again.users, again.events, again.failed) == (1, 0, ())
        one.set = new_id()
        await one.confirm()
        assert (await sweep(one.records, START, NOW, projected=projected)).events == 1

    asyncio.run(story())


def test_only_so_many_projected_events_are_remembered() -> None:
    user, projected = uuid4(), Projected(most=2)
    events = [Event(uuid4(), uuid4(), "set-confirmed", {}, n) for n in range(3)]
    projected.add(user, events)
    assert projected.others(user, events) == events[:1]
    assert projected.others(uuid4(), events) == events, "everybody's own"


def test_a_set_waits_for_its_samples() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0)
        await one.confirm()
        assert await one.labelled() == []
        await one.put(1)
        await sweep(one.records, START, NOW)
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


def test_samples_that_come_long_after_their_set_are_found() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0)
        await one.confirm()
        one.now += timedelta(hours=1)
        one.recorder = one.on(one.records)  # another worker, or this one a minute later
        await one.put(1)
        swept = await sweep(one.records, one.now - timedelta(minutes=1), one.now)
        assert (swept.users, swept.events, swept.labelled) == (1, 0, 1)
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


def test_what_was_under_way_does_not_come_back_after_a_deletion() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        row = await one.confirm()
        await one.recorder.delete_session(one.user, one.session)
        late = row._replace(revision=us_of(one.now + timedelta(days=1)))  # a clock that is ahead
        await one.records.sets.put(one.user, late)
        await one.records.sessions.open(one.user, one.session, START, "UTC", None, late.revision)
        assert await one.records.sets.of_user(one.user) == []
        assert await one.records.sessions.read(one.user, one.session) is None
        other = Story()
        await other.open(0, 1)
        row = await other.confirm()
        await other.recorder.delete_set(other.user, other.session, other.set)
        late = row._replace(revision=us_of(other.now + timedelta(days=1)))
        await other.records.sets.put(other.user, late)
        assert await other.records.sets.of_user(other.user) == []

    asyncio.run(story())


def test_a_set_waits_for_the_other_sensor_until_the_list_says_there_is_no_more() -> None:
    async def story() -> None:
        one = Story(acc=STREAM, gyro=GYRO)
        await one.open(0, 1)
        await one.confirm()
        await one.complete(0, 1)
        assert await one.labelled() == []
        nothing = Completion(streams={"gyro": []})
        row = await one.recorder.complete(one.user, one.session, nothing)
        assert row.complete
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


async def both_sensors() -> Story:
    """A session of two seconds with rotation, its list in, and no set."""
    one = Story(acc=STREAM, gyro=GYRO)
    await one.open(0, 1)
    rotation = [
        replace(CHUNKS[n, 0], piece=replace(CHUNKS[n, 0].piece, unit="rad/s")) for n in (0, 1)
    ]
    for seq, chunk in enumerate(rotation):
        await one.recorder.put_chunk(one.user, one.session, "gyro", seq, chunk)
    return one


async def layouts(one: Story) -> dict[str, tuple[str, int]]:
    """Exercise and pieces of rotation of the one set that is labelled, by layout."""
    found = {}
    for layout in MODEL_IDS:
        for row in await one.records.sets.labelled(one.user, layout):
            found[layout] = (row.exercise, len(unpack_pieces(row.samples).gyro))
    return found


def test_what_has_rotation_teaches_without_it_as_well() -> None:
    async def story() -> None:
        one = await both_sensors()
        first = await one.confirm(0)
        assert await layouts(one) == {
            "wrist-acc6": ("biceps curl", 2),
            "wrist-acc3": ("biceps curl", 0),
        }
        await one.confirm(1, first.revision)
        assert {name for name, _ in (await layouts(one)).values()} == {"bench press"}
        assert (await sweep(one.records, START, NOW)).labelled == 1
        await one.recorder.delete_set(one.user, one.session, one.set)
        assert await layouts(one) == {}

    asyncio.run(story())


@pytest.mark.parametrize("dies_at", [0, 1])
@pytest.mark.parametrize("corrected", [False, True])
def test_a_crash_between_both_layouts_is_found(dies_at: int, corrected: bool) -> None:
    async def story() -> None:
        one = await both_sensors()
        etag = (await one.confirm(1)).revision if corrected else None
        dying = replace(one.records, sets=DyingLater(one.records.sets, "put_labelled", dies_at))
        said = confirmation(0, 0)
        with pytest.raises(DatabaseAway):
            await one.on(dying).confirm_set(one.user, one.session, one.set, said, etag)
        assert set((await layouts(one)).values()) != {("biceps curl", 2), ("biceps curl", 0)}
        assert await project_pending(one.records, one.user, us_of(NOW)) == 1
        assert set((await layouts(one)).values()) == {("biceps curl", 2), ("biceps curl", 0)}

    asyncio.run(story())


def test_a_correction_takes_the_old_label_away_although_its_samples_became_undecided() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        first = await one.confirm(0)
        await one.put(0, variant=1)
        await one.confirm(1, first.revision)
        assert await one.labelled() == []
        await one.complete(0, 1)
        assert await one.labelled() == ["bench press"]

    asyncio.run(story())


def test_a_correction_after_the_list_stands_above_it() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        first = await one.confirm(0)
        one.now += timedelta(hours=1)
        await one.complete(0, 1)
        one.now -= timedelta(hours=1)  # another worker, whose clock is late
        await one.confirm(1, first.revision)
        assert await one.labelled() == ["bench press"]

    asyncio.run(story())


def test_a_label_without_a_set_is_taken_out() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        await one.confirm()
        (row,) = await one.records.sets.labelled(one.user, "wrist-acc3")
        await one.records.sets.put_labelled(one.user, row._replace(set_id=new_id()), LABELLED_S)
        assert await project_pending(one.records, one.user, us_of(NOW)) == 1
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


def test_a_whole_replay_changes_nothing() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1, 2)
        first = await one.confirm(0)
        await one.confirm(1, first.revision)
        await one.complete(0, 1)
        before = await _everything(one)
        assert await replay(one.records, one.user, START, NOW) == 5
        assert await _everything(one) == before

    asyncio.run(story())


def test_one_user_of_whom_the_journal_says_nonsense_does_not_stop_the_others() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        about, stranger = new_id(), uuid4()
        odd = Event(slot(about, "odd"), about, "session-opened", {}, us_of(NOW))
        await one.records.journal.append(stranger, odd, "sessions")
        await one.put(2)
        swept = await sweep(one.records, START, NOW)
        assert [user for user, _ in swept.failed] == [stranger]
        assert swept.users == 2
        assert swept.events == 2

    asyncio.run(story())


async def _everything(one: Story) -> list[Any]:
    records, user = one.records, one.user
    return [
        await records.sessions.read(user, one.session),
        await records.sessions.lists(user, one.session),
        await records.sets.of_user(user),
        await records.sets.labelled(user, "wrist-acc3"),
        await records.dead_letters.of_user(user, NOW),
    ]
