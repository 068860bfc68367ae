"""Recognised sets of a session are stored and published."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ingest.client_ids import check_client_id
from ingest.recognition import are_all_stored, recognise_session, stored_predictions, versions_used
from ingest.stored_session import find_session
from models.recognition.sets import RecognitionModels
from schemas.ids import recognised_set_id, time_us_of
from schemas.topics import PREDICTIONS
from tests.ingest.histories import LIMITS, START, new_id
from tests.ingest.repeating import ASKED, recorded
from tests.store.made_records import prediction


def test_predictions_are_incomplete_where_one_is_missing() -> None:
    session, details = new_id(), json.dumps({"sets": 3})
    rows = [prediction(uuid4(), session, START, details=details) for _ in range(3)]
    assert are_all_stored(rows)
    assert are_all_stored([])
    assert not are_all_stored(rows[1:])


def test_ids_of_recognised_sets_follow_from_session_and_start_and_are_as_clients_make_them() -> (
    None
):
    sessions, start_ns = (new_id(), new_id()), int(START.timestamp() * 10**9)
    ids = [recognised_set_id(session, start_ns) for session in sessions]
    assert [recognised_set_id(session, start_ns) for session in sessions] == ids
    assert len({*ids, recognised_set_id(sessions[0], start_ns + 1)}) == 3
    for id_ in ids:
        assert time_us_of(id_) == start_ns // 1000
        check_client_id(id_, "set", start_ns // 10**6, LIMITS)


def test_ids_of_sets_on_a_clock_that_is_not_set_have_the_time_of_their_session() -> None:
    session = new_id()
    ids = [recognised_set_id(session, start_ns) for start_ns in (60 * 10**9, 90 * 10**9)]
    assert len(set(ids)) == 2
    for id_ in ids:
        assert time_us_of(id_) == time_us_of(session)
        check_client_id(id_, "set", time_us_of(session) // 1000, LIMITS)


async def test_predictions_are_stored_and_published():
    asked_for: list[str] = []

    async def load_models(layout: str) -> tuple[dict[str, Any], RecognitionModels]:
        asked_for.append(layout)
        return ASKED, RecognitionModels()

    one = await recorded()
    session = await find_session(one.records, one.user, one.session)
    assert session is not None
    now = one.clock()
    seen = await recognise_session(session, load_models, now)
    assert seen is not None
    (found,), asked = seen
    assert asked == ASKED
    assert asked_for == ["wrist-acc3"]
    middle = START + timedelta(seconds=40)
    assert found.started_at < middle < found.ended_at
    assert await one.records.predictions.of_session(one.user, one.session) == [found]
    changed = await one.records.changes.since(START, now + timedelta(days=1))
    assert PREDICTIONS in changed[one.user]


@pytest.mark.parametrize("activity", [None, "the first"])
async def test_named_sets_keep_their_predictions_until_there_is_a_trained_segmenter(
    activity: str | None,
) -> None:
    """Two sets, of which one was named; then another exercise model serves."""
    other = ASKED | {"exercise": ["another"], "activity": activity}
    versions = iter([ASKED, other])

    async def load_models(_: str) -> tuple[dict[str, Any], RecognitionModels]:
        return next(versions), RecognitionModels()

    recording = await recorded(bouts=2)
    records, user = recording.records, recording.user
    session = await find_session(records, user, recording.session)
    assert session is not None
    now = recording.clock()
    again_at = now + timedelta(days=1)
    before = await recognise_session(session, load_models, now)
    assert before is not None
    (first, second), _ = before
    named = first._replace(exercise="row", abstained=False, reason=None, version="a model")
    await records.predictions.replace(user, recording.session, [named, second])
    again = await recognise_session(session, load_models, again_at)
    assert again is not None
    (kept, renewed), _ = again
    assert (kept.exercise, kept.predicted_at) == (
        ("row", now) if activity is None else (None, again_at)
    )
    assert (renewed.set_id, renewed.predicted_at) == (second.set_id, again_at)
    stored = await stored_predictions(session)
    assert stored == [kept, renewed]
    assert versions_used(stored) == other, "else each request would recognise it again"
