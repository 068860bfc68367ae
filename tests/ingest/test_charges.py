"""Lists and plans are charged before they are stored, and a repeat is free."""

import asyncio
import json
from typing import Any

import pytest

from schemas.errors import LimitExceeded
from schemas.events import Completion
from tests.ingest.histories import SHA, new_id
from tests.ingest.recorded_session import RecordedSession, both_sensors

HASH_BYTES = len(json.dumps(SHA[0, 0])) + 1  # with a comma


def refuse(size_bytes: int) -> None:
    raise LimitExceeded("no more today", limit="samples", retry_after_s=9)


def test_each_longer_list_is_charged_in_full_and_a_repeat_is_free() -> None:
    async def story() -> None:
        session = await both_sensors()
        charged: list[int] = []

        async def complete(charge: Any = charged.append, **numbers: list[int]) -> None:
            listed = {name: [SHA[seq, 0] for seq in seqs] for name, seqs in numbers.items()}
            streams: Any = {name: [*hashes, None] for name, hashes in listed.items()}
            completion = Completion(streams=streams)
            await session.recorder.complete(session.user, session.session, completion, charge)

        await complete(acc=[0])
        await complete(acc=[0])
        await complete(acc=[0, 1], gyro=[0])
        with pytest.raises(LimitExceeded):
            await complete(refuse, gyro=[0, 1])
        lists = await session.records.sessions.lists(session.user, session.session)
        assert {name: len(listed.hashes) for name, listed in lists.items()} == {"acc": 2, "gyro": 1}
        await complete(refuse, acc=[0, 1], gyro=[0])
        assert charged == [HASH_BYTES, 3 * HASH_BYTES]  # nulls at the end are left out

    asyncio.run(story())


def test_each_version_of_a_plan_is_charged_and_a_repeat_is_free() -> None:
    async def story() -> None:
        session = RecordedSession()
        plan, charged = new_id(), list[int]()
        for reps in (8, 8, 9):
            sets: Any = [{"exercise": "row", "reps": reps, "weight_kg": None, "intensity": None}]
            await session.recorder.put_plan(session.user, plan, "Monday", sets, charged.append)
        assert charged == [len(json.dumps({"name": "Monday", "sets": sets}))] * 2
        with pytest.raises(LimitExceeded):
            await session.recorder.put_plan(session.user, plan, "Tuesday", sets, refuse)
        [stored] = await session.records.plans.of_user(session.user)
        assert stored.name == "Monday"

    asyncio.run(story())
