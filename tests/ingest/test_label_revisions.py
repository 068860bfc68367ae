"""A label follows its set and the lists, whichever of them is stored first."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.event_writer import MS_US
from ingest.label_revisions import label_revision
from ingest.sweeper import sweep_user
from models.signal.pieces import unpack_pieces
from schemas.events import Completion
from store.labelled_sets import LabelledSet
from tests.ingest.histories import SHA, START, confirmation
from tests.ingest.recorded_session import RecordedSession, RunBefore, replay

BEHIND = timedelta(hours=2)


async def completed(one: RecordedSession, numbers: list[int], **records: Any) -> None:
    """Complete a session by a device whose clock is behind; only `complete` says so."""
    said = Completion(sent_at=one.now - BEHIND, streams={"acc": [SHA[seq, 0] for seq in numbers]})
    completing = one.on(replace(one.records, **records))
    await completing.complete(one.user, one.session, said)


async def the_label(one: RecordedSession) -> LabelledSet:
    (row,) = await one.records.labelled.of_user(one.user, "wrist-acc3")
    return row


def samples_in(label: LabelledSet) -> int:
    return sum(len(piece.counts) for piece in unpack_pieces(label.samples).acc)


@pytest.mark.parametrize(
    ("repository", "before"), [("journal", "append_all"), ("changes", "announce")]
)
async def test_a_label_is_cut_by_a_list_that_is_stored_after_a_later_set(
    repository: str, before: str
) -> None:
    """The confirmation is dated later, and overtakes the list on the way to the database."""
    one = RecordedSession()
    await one.open(0, 1)
    slower = RunBefore(getattr(one.records, repository), before, one.confirm)
    await completed(one, [0], **{repository: slower})
    label, (row,) = await the_label(one), await one.records.sets.of_user(one.user)
    assert label.started_at == row.started_at + BEHIND + timedelta(milliseconds=1)
    assert samples_in(label) == 40
    await sweep_user(one.records, one.user, START - timedelta(days=1), one.clock())
    await replay(one.records, one.user, START, one.now)
    assert await the_label(one) == label


async def test_a_label_is_cut_by_a_longer_list_that_is_stored_after_a_later_set() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    await completed(one, [0])
    journal = RunBefore(one.records.journal, "append_all", one.confirm)
    await completed(one, [0, 1], journal=journal)
    assert samples_in(await the_label(one)) == 80


async def test_a_label_says_what_a_correction_says_that_is_stored_after_a_later_list() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    first = await one.confirm()
    sets = RunBefore(one.records.sets, "put_all", lambda: completed(one, [0, 1]))
    correcting = one.on(replace(one.records, sets=sets))
    place = (one.user, one.session, one.set)
    await correcting.confirm_set(*place, confirmation(0, 1), first.revision)
    assert (await the_label(one)).exercise == "bench press"


async def test_an_offset_that_comes_with_a_list_counts_wherever_the_list_does() -> None:
    """Another worker cuts the label while the list is projected."""
    one = RecordedSession()
    await one.open(0, 1)
    await one.confirm()
    again = RunBefore(one.records.sessions, "put_offset", one.confirm)
    await completed(one, [0, 1], sessions=again)
    offset = (await the_label(one)).started_at - START
    assert offset > BEHIND


@given(
    st.lists(st.integers(1, 2**41), min_size=1, max_size=4),
    st.integers(0, 3),
    st.floats(1.13, 2.0),
)
def test_a_newer_revision_of_a_part_is_a_newer_revision_of_the_label(
    parts_ms: list[int], place: int, factor: float
) -> None:
    """Whether it becomes the newest one, or comes nearer to that by an eighth, or is new."""
    parts = [part * MS_US for part in parts_ms]
    place %= len(parts)
    age = max(parts) - parts[place]
    nearer = max(parts) - int(age // MS_US / factor) * MS_US
    changed = [*parts[:place], nearer if age else parts[place] + MS_US, *parts[place + 1 :]]
    revision = label_revision(parts, streams=3)
    assert label_revision(changed, streams=3) > revision
    if len(parts) > 1:
        assert revision > label_revision(parts[:place] + parts[place + 1 :], streams=3)
    assert label_revision(reversed(parts), streams=3) == revision
    assert max(parts) <= revision < max(parts) + MS_US


@pytest.mark.parametrize("streams", [1, 2, 4, 5, 8, 20])
def test_a_label_of_many_streams_is_newer_with_each_of_their_lists(streams: int) -> None:
    """All of them are of one minute: a user sent what waited in the phone."""
    a_set = 1_000_000 * MS_US
    lists = [a_set - (n + 1) * 1_000 * MS_US for n in range(streams)]
    revisions = [label_revision([a_set, *lists[:n]], streams=streams) for n in range(streams + 1)]
    assert revisions == sorted(set(revisions))
    assert revisions[-1] < a_set + MS_US
    for place in range(streams):
        before = [*lists[:place], lists[place] - 600_000 * MS_US, *lists[place + 1 :]]
        assert label_revision([a_set, *before], streams=streams) < revisions[-1]
