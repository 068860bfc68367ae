"""Sessions of many sets: reads of a confirmation, and the limit."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ingest import sets
from schemas.errors import BadEvent
from tests.ingest.histories import confirmation, new_id
from tests.ingest.recorded_session import FailingRepository, RecordedSession


async def test_confirming_a_set_does_not_read_the_other_sets() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    there = one.records.sets
    unread: Any = FailingRepository(there, "of_session")
    recorder = one.on(replace(one.records, sets=unread))
    for _ in range(3):
        await recorder.confirm_set(one.user, one.session, new_id(), confirmation(0, 0))
    assert await there.count(one.user, one.session) == 3
    assert len(await one.labelled()) == 3


def test_full_session_accepts_repeats_and_corrections_but_no_new_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sets, "MAX_SETS", 2)

    async def story() -> None:
        one = RecordedSession()
        await one.open(0, 1)
        first, second, third = (new_id() for _ in range(3))

        async def confirm(set_id: Any, content: int = 0, etag: int | None = None) -> Any:
            said = confirmation(0, content)
            return await one.recorder.confirm_set(one.user, one.session, set_id, said, etag)

        kept = [await confirm(set_id) for set_id in (first, second)]
        with pytest.raises(BadEvent, match="2 sets; it may have 2") as refused:
            await confirm(third)
        assert (refused.value.field, refused.value.value) == ("set", str(third))
        assert await confirm(first) == kept[0], "a repeat"
        corrected = await confirm(second, 1, kept[1].revision)
        assert corrected.revision > kept[1].revision
        await one.recorder.delete_set(one.user, one.session, first)
        assert (await confirm(third)).set_id == third

    asyncio.run(story())
