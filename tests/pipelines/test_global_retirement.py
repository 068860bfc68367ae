"""Which serving global models may hold an erased user."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from pipelines.lifecycle.global_retirement import must_go
from pipelines.lifecycle.members import drawn_from
from pipelines.lifecycle.runs import run_id_at
from schemas.times import us_of
from store.champions import Champions
from store.changes import Changes
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger
from store.watermarks import CHANGES_KEPT
from tests.pipelines.people import LAYOUT

USER = uuid4()
WITH_USER = drawn_from([USER], seed=1)
WITHOUT = {"seed": 1, "up_to": -1}
KEPT_H = CHANGES_KEPT // timedelta(hours=1)


DAYS = (datetime(2060, 1, 1, 12, tzinfo=UTC) + n * 3 * CHANGES_KEPT for n in count())
"""Each case has a time of its own, around which no other test announces anything."""


@pytest.fixture
def now():
    return next(DAYS)


def serve(database, family, read_at, drawn, content=b"a model"):
    """Store and promote a global model whose run began then."""
    key = ModelKey.of_global(LAYOUT, family)
    manifest = {} if drawn is None else {"drawn": drawn}
    model = StoredModel.of(key, content, manifest, run_id_at(read_at), read_at)

    async def work():
        await Models(database).put(model)
        champion = await Champions(database).read(key)
        await Champions(database).promote(Challenger.of(model), champion, read_at)

    asyncio.run(work())


@pytest.mark.parametrize(
    ("read_h", "erased_h", "done_h", "drawn", "goes"),
    [
        (-9, -5, -5, WITH_USER, True),
        (-9, -5, -5, WITHOUT, False),
        (-9, -5, -5, None, True),  # its manifest does not say: anybody may be in it
        (-3, -5, -5, WITH_USER, False),
        (-4, -5, -3, WITH_USER, True),  # read in the middle of the erasure
        (-9, 1, 1, WITH_USER, False),  # announced since the run that asks began
        (-9, -1, 1, WITH_USER, True),
        (0, -1, 1, WITH_USER, False),  # by the run that asks; the next one finds it
        (-1 - KEPT_H, None, None, WITHOUT, True),  # announcements since have expired
        (24, None, None, WITHOUT, True),  # of a run whose clock was ahead
        (-9, None, None, None, False),
    ],
)
def test_model_must_go_if_a_possible_member_was_erased_after_its_data_was_read(
    database, family, now, read_h, erased_h, done_h, drawn, goes
):
    serve(database, family, now + timedelta(hours=read_h), drawn)
    for topic, at_h in (("erased", erased_h), ("erasure-done", done_h)):
        if at_h is not None:
            at = now + timedelta(hours=at_h)
            asyncio.run(Changes(database).announce(USER, topic, us_of(at)))
    assert must_go(database, [family], now) == ({LAYOUT} if goes else set())
    assert must_go(database, [f"test-{uuid4()}", family], now) == ({LAYOUT} if goes else set())
    assert must_go(database, [f"test-{uuid4()}"], now) == set()


def test_model_that_was_learned_again_with_the_same_bytes_may_stay(database, family, now):
    serve(database, family, now - timedelta(hours=9), WITH_USER)
    asyncio.run(Changes(database).announce(USER, "erased", us_of(now - timedelta(hours=5))))
    assert must_go(database, [family], now) == {LAYOUT}
    key = ModelKey.of_global(LAYOUT, family)
    again = StoredModel.of(key, b"a model", {"drawn": WITH_USER}, run_id_at(now), now)
    asyncio.run(Models(database).put(again))
    assert must_go(database, [family], now) == set()
