"""A run changes what others see only while its lease is its own."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pipelines.lifecycle import lease_owner
from pipelines.lifecycle.lease import Lease, keep_until, take_lease
from pipelines.lifecycle.lease_owner import has_ended, owner_of
from schemas.errors import DatabaseUnavailable, LeaseHeld, LeaseLost
from store.job_leases import JobLeases
from tests.patched_os import os_with

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LEASE_S = 60.0


class Clock:
    """A clock that tests set, and the times at which a lease was extended."""

    def __init__(self, answer: Callable[[], object] = lambda: None) -> None:
        self.now, self.answer, self.renewed = NOW, answer, list[datetime]()

    def __call__(self) -> datetime:
        return self.now

    def renew(self, at: datetime) -> None:
        self.renewed.append(at)
        self.answer()

    def lease(self) -> Lease:
        return Lease("rank", self.renew, self, LEASE_S, NOW)


def fail(problem: Exception) -> Callable[[], object]:
    def answer() -> None:
        raise problem

    return answer


def test_lease_that_was_extended_in_time_is_not_asked_about():
    clock = Clock()
    lease = clock.lease()
    clock.now += timedelta(seconds=LEASE_S)
    lease.require()
    assert clock.renewed == []


def test_lease_that_ran_out_and_that_nobody_took_is_extended():
    """The machine slept for an hour."""
    clock = Clock()
    lease = clock.lease()
    clock.now += timedelta(hours=1)
    lease.require()
    lease.require()
    assert clock.renewed == [clock.now]


def test_lease_that_ran_out_and_that_another_run_took_is_lost():
    clock = Clock(fail(LeaseLost("taken")))
    lease = clock.lease()
    clock.now += timedelta(hours=1)
    for _ in range(2):
        with pytest.raises(LeaseLost, match="taken"):
            lease.require()
    assert len(clock.renewed) == 1


def test_lease_that_ran_out_in_an_outage_is_refused():
    clock = Clock(fail(DatabaseUnavailable("away")))
    lease = clock.lease()
    clock.now += timedelta(hours=1)
    with pytest.raises(DatabaseUnavailable):
        lease.require()
    assert lease.renewed_at == NOW


@pytest.mark.parametrize(
    ("problem", "reason"),
    [(LeaseLost("taken"), "taken"), (ZeroDivisionError("a bug"), "ZeroDivisionError: a bug")],
)
def test_reason_why_the_heartbeat_ended_is_that_of_the_run(problem, reason):
    lease = Clock(fail(problem)).lease()
    keep_until(lease, threading.Event(), 0.001)
    with pytest.raises(LeaseLost, match=reason):
        lease.require()


def test_heartbeat_goes_on_after_an_outage():
    stop = threading.Event()
    problems = [DatabaseUnavailable("away"), DatabaseUnavailable("away")]

    def answer() -> None:
        if problems:
            raise problems.pop()
        stop.set()

    clock = Clock(answer)
    lease = clock.lease()
    clock.now += timedelta(seconds=30)
    keep_until(lease, stop, 0.001)
    assert (len(clock.renewed), lease.renewed_at, lease.lost) == (3, clock.now, "")


def test_run_after_an_outage_notices_that_another_run_took_its_lease(database):
    family, clock = f"test-{uuid4()}", Clock()
    lease = take_lease(database, family, uuid4(), clock, LEASE_S)
    clock.now += timedelta(seconds=LEASE_S + 1)
    lease.require()
    clock.now += timedelta(seconds=LEASE_S + 1)
    take_lease(database, family, uuid4(), clock, LEASE_S)
    with pytest.raises(LeaseLost):
        lease.require()


LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture
def sleeper():
    """A process that runs until it is killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@LINUX
def test_lease_of_a_killed_process_is_taken_over_at_once(database, sleeper):
    family, dead, clock = f"test-{uuid4()}", uuid4(), Clock()
    holds = JobLeases(database).acquire(family, dead, owner_of(sleeper.pid), NOW, LEASE_S)
    asyncio.run(holds)
    with pytest.raises(LeaseHeld, match="under way"):
        take_lease(database, family, uuid4(), clock, LEASE_S)
    sleeper.kill()
    sleeper.wait()
    lease = take_lease(database, family, uuid4(), clock, LEASE_S)
    clock.now += timedelta(seconds=LEASE_S + 1)
    lease.require()
    with pytest.raises(LeaseLost):
        asyncio.run(JobLeases(database).renew(family, dead, NOW, LEASE_S))
    with pytest.raises(LeaseHeld):  # ours: this process is alive
        take_lease(database, family, uuid4(), clock, LEASE_S)


async def test_only_one_run_takes_the_lease_of_a_dead_one_over(database):
    family, first, second = f"test-{uuid4()}", uuid4(), uuid4()
    leases = JobLeases(database)
    await leases.acquire(family, uuid4(), "dead", NOW, LEASE_S)
    dead = await leases.holder(family)
    assert dead is not None
    await leases.take_over(family, dead, first, "a", NOW, LEASE_S)
    with pytest.raises(LeaseHeld):
        await leases.take_over(family, dead, second, "b", NOW, LEASE_S)
    assert await leases.holder(family) == (first, "a")


@LINUX
def test_process_has_ended_only_where_that_is_sure(sleeper):
    """A killed one, also before its parent asks; another that got its number. Not one elsewhere."""
    owner = owner_of(sleeper.pid)
    host, pid, start, place = owner.split(":")
    assert not has_ended(owner)
    assert has_ended(f"{host}:{pid}:{int(start) - 1}:{place}")
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(owner)  # a zombie
    sleeper.wait()
    assert has_ended(owner)
    for other in (f"x{host}:{pid}:{start}:{place}", f"{host}:{pid}:{start}:x{place}"):
        assert not has_ended(other)
    for former in (f"{host}:{pid}", f"{host}:{pid}::", ""):
        assert not has_ended(former)


@LINUX
def test_process_of_another_user_that_is_hidden_has_not_ended(sleeper, monkeypatch, tmp_path):
    """As where /proc is mounted with hidepid=2."""
    owner = owner_of(sleeper.pid)
    place = lease_owner._place()

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(lease_owner, "os", os_with(kill=refuse))
    monkeypatch.setattr(lease_owner, "PROC", tmp_path)
    monkeypatch.setattr(lease_owner, "_place", lambda: place)
    assert not has_ended(owner)
