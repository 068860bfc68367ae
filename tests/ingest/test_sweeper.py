"""The sweeper finishes what a crash interrupted, and changes nothing else."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ingest.labelled_sets import is_label_current
from ingest.sweeper import ProjectedEvents, sweep
from schemas.errors import DatabaseUnavailable
from schemas.inputs import ACC3, ACC6
from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from store.journal import EventKey
from store.labelled_sets import LabelledRevision
from tests.ingest.histories import START, confirmation
from tests.ingest.recorded_session import NOW, FailingRepository, RecordedSession, replay
from tests.store.made_records import set_row


@pytest.mark.parametrize("repository_and_method", ["sets.put_all", "labelled.put"])
async def test_sweep_projects_a_journaled_set_after_a_crash(repository_and_method: str) -> None:
    one = RecordedSession()
    await one.open(0, 1)
    repository, method = repository_and_method.split(".")
    inner = getattr(one.records, repository)
    dying = replace(one.records, **{repository: FailingRepository(inner, method)})
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
    assert await one.labelled() == []
    assert await sweep(one.records, START, NOW) == ()
    assert await one.labelled() == ["biceps curl"]


@pytest.mark.parametrize(
    ("labelled", "is_current"),
    [
        ([], False),
        ([(ACC3, 5)], True),
        ([(ACC3, 6)], True),  # its list was longer afterwards
        ([(ACC3, 4)], False),
        ([(ACC6, 5)], False),  # a crash left the one without rotation out
        ([(ACC6, 5), (ACC3, 5)], True),
        ([(ACC6, 6), (ACC3, 5)], False),
        ([(ACC6, 4), (ACC3, 4)], False),
    ],
)
def test_a_label_is_current_in_every_layout_and_not_older_than_its_set(
    labelled: list[tuple[str, int]], *, is_current: bool
) -> None:
    row = set_row(revision=5)
    revisions = [LabelledRevision(m, row.set_id, row.session_id, r) for m, r in labelled]
    assert is_label_current(revisions, row.revision) == is_current


async def test_sweep_labels_a_set_whose_samples_arrive_late() -> None:
    one = RecordedSession()
    await one.open(0)
    await one.confirm()
    one.now += timedelta(hours=1)
    one.recorder = one.on(one.records)  # another worker, or this one a minute later
    await one.put(1)
    assert await sweep(one.records, one.now - timedelta(minutes=1), one.now) == ()
    assert await one.labelled() == ["biceps curl"]


async def test_late_writes_do_not_restore_deleted_sessions_and_sets() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    row = await one.confirm()
    await one.recorder.delete_session(one.user, one.session)
    late = row._replace(revision=us_of(one.now + timedelta(days=1)))  # a clock that is ahead
    await one.records.sets.put(one.user, late)
    await one.records.sessions.open(one.user, one.session, START, "UTC", None, late.revision)
    assert await one.records.sets.of_user(one.user) == []
    assert await one.records.sessions.read(one.user, one.session) is None
    other = RecordedSession()
    await other.open(0, 1)
    row = await other.confirm()
    await other.recorder.delete_set(other.user, other.session, other.set)
    late = row._replace(revision=us_of(other.now + timedelta(days=1)))
    await other.records.sets.put(other.user, late)
    assert await other.records.sets.of_user(other.user) == []


async def test_sweep_finishes_the_deletion_of_a_session_of_any_age() -> None:
    old = RecordedSession()
    await old.open(0, 1)
    old.now += timedelta(days=500)
    dying = replace(old.records, samples=FailingRepository(old.records.samples, "delete_session"))
    with pytest.raises(DatabaseUnavailable):
        await old.on(dying).delete_session(old.user, old.session)
    samples, place = old.records.samples, (old.user, old.session, "acc", [0])
    assert len(await samples.metadata(*place)) == 2
    await sweep(old.records, old.now - timedelta(minutes=1), old.now)
    assert await samples.metadata(*place) == []


async def test_a_label_written_after_its_session_was_deleted_and_swept_is_deleted() -> None:
    """The worker dies before it looks whether the set is still there."""
    one, projected = RecordedSession(), ProjectedEvents()
    await one.open(0, 1)
    await one.confirm()
    [row] = await one.records.labelled.of_user(one.user, ACC3)
    await one.records.labelled.delete(one.user, ACC3, one.set, row.revision)
    await one.recorder.delete_session(one.user, one.session)
    await sweep(one.records, START, one.now, projected=projected)
    late = row._replace(revision=row.revision + 1)
    await one.records.labelled.put(one.user, late, LABELLED_TTL_S)
    assert await one.labelled() == ["biceps curl"]
    await sweep(one.records, START, one.now, projected=projected)
    assert await one.labelled() == []


def test_months_of_old_ids_are_read_only_after_one_of_them_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        one = RecordedSession()
        months: list[int] = []
        keys = one.records.journal.keys

        async def counted(user_id: UUID, wanted: Sequence[str], since: datetime) -> list[EventKey]:
            months.append(len(wanted))
            return await keys(user_id, wanted, since)

        monkeypatch.setattr(one.records.journal, "keys", counted)
        await one.open(0, 1)
        await one.confirm()
        await sweep(one.records, one.now - timedelta(minutes=1), one.now)
        one.now += timedelta(days=500)
        await one.recorder.delete_session(one.user, one.session)
        await sweep(one.records, one.now - timedelta(minutes=1), one.now)
        recent, all_months = months
        assert recent < 20 < all_months

    asyncio.run(story())


async def test_full_replay_is_idempotent() -> None:
    one = RecordedSession()
    await one.open(0, 1, 2)
    first = await one.confirm(0)
    await one.confirm(1, first.revision)
    await one.complete(0, 1)
    before = await _everything(one)
    assert await replay(one.records, one.user, START, NOW) == 5
    assert await _everything(one) == before


async def test_long_sweep_announces_changes_at_their_write_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A training run that starts meanwhile looks back one minute, not to the sweep start."""
    late = timedelta(seconds=300)
    monkeypatch.setattr("ingest.sweeper.clock_from", lambda now: lambda: now + late)
    one = RecordedSession()
    await one.open(0, 1)
    dying = replace(one.records, labelled=FailingRepository(one.records.labelled, "put"))
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
    await sweep(one.records, START, NOW)
    assert await one.labelled() == ["biceps curl"]
    topics = (await one.records.changes.since(START, NOW))[one.user]
    assert topics["sets"] == NOW + late


async def _everything(one: RecordedSession) -> list[Any]:
    records, user = one.records, one.user
    return [
        await records.sessions.read(user, one.session),
        await records.sessions.lists(user, one.session),
        await records.sets.of_user(user),
        await records.labelled.of_user(user, "wrist-acc3"),
        [letter async for letter in records.dead_letters.of_user(user, NOW)],
    ]
