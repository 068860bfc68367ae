"""Leases of jobs: one run of a family at a time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import LeaseHeld, LeaseLost
from schemas.ids import uuid7
from store.database import Database
from store.job_leases import JobLeases
from store.watermarks import Watermarks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNS = [uuid7(ms, bytes(10)) for ms in (1, 2, 3)]  # in the order of their times


async def test_lease_is_exclusive_and_expires_without_renewal(database: Database, family: str):
    leases = JobLeases(database)
    first, second, third = RUNS
    await leases.acquire(family, first, "a", NOW, 60)
    await leases.acquire(f"{family}-2", second, "b", NOW, 60)  # another family
    with pytest.raises(LeaseHeld):
        await leases.acquire(family, second, "b", NOW + timedelta(seconds=59), 60)
    await leases.renew(family, first, NOW + timedelta(seconds=50), 60)
    with pytest.raises(LeaseHeld):
        await leases.acquire(family, second, "b", NOW + timedelta(seconds=100), 60)
    await leases.acquire(family, second, "b", NOW + timedelta(seconds=111), 60)
    with pytest.raises(LeaseLost):
        await leases.renew(family, first, NOW + timedelta(seconds=112), 60)
    await leases.release(family, first)  # no longer the holder: no effect
    with pytest.raises(LeaseHeld):
        await leases.acquire(family, third, "c", NOW + timedelta(seconds=120), 60)
    await leases.release(family, second)
    await leases.acquire(family, third, "c", NOW + timedelta(seconds=120), 60)


def test_one_of_several_concurrent_callers_acquires_the_lease(database: Database, family: str):
    async def both() -> list[object]:
        leases = JobLeases(database)
        asked = (leases.acquire(family, run, "x", NOW, 60) for run in RUNS)
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(both())
    assert sorted(type(answer).__name__ for answer in answers) == ["LeaseHeld"] * 2 + ["NoneType"]


async def test_leases_and_watermarks_from_a_clock_ahead_are_ignored(
    database: Database, family: str
):
    marks, leases, ahead = Watermarks(database), JobLeases(database), NOW + timedelta(days=300)
    await leases.acquire(family, RUNS[0], "ahead", ahead, 60)  # and was killed
    await marks.advance(family, RUNS[0], ahead, ahead)
    assert await marks.read(family, NOW) is None
    await leases.acquire(family, RUNS[1], "a", NOW, 60)
    assert await marks.advance(family, RUNS[1], NOW, NOW)
    assert await marks.read(family, NOW) == NOW
    with pytest.raises(LeaseHeld):  # one whose clock is behind by less than a lease
        await leases.acquire(family, RUNS[2], "b", NOW - timedelta(seconds=59), 60)
