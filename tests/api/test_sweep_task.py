"""The sweep: one worker runs it, and its progress is stored."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.request_log import RequestLog
from api.sweep_task import NAME, SweepTask
from ingest.erasure import announce_erasure
from schemas.errors import DatabaseUnavailable
from store.watermarks import Watermarks
from tests.api.conftest import Person, RunningService
from tests.api.phone import Phone
from tests.cassandra_node import announce_only


@pytest.fixture
def two(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SweepTask, SweepTask]]:
    """Two workers of one host, and nobody to be swept."""
    announce_only(monkeypatch)
    lock_path = tmp_path / "sweeper.lock"
    workers = SweepTask(service.services, lock_path), SweepTask(service.services, lock_path)
    yield workers
    for worker in workers:
        worker.close()


def test_one_worker_sweeps_and_another_takes_over_when_it_closes(
    service: RunningService, two: tuple[SweepTask, SweepTask]
):
    first, second = two
    watermarks = Watermarks(service.services.database)
    before = datetime.now(UTC)
    assert service.run(first.sweep_once())
    reached = service.run(watermarks.read(NAME, datetime.now(UTC)))
    assert reached is not None
    assert reached >= before - timedelta(milliseconds=1)
    assert not service.run(second.sweep_once())
    first.close()
    assert service.run(second.sweep_once())


def test_a_sweep_is_done_up_to_when_it_began(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What was announced while it ran is for the next one."""
    announce_only(monkeypatch)
    now, asked = datetime.now(UTC), list[datetime]()

    def clock() -> datetime:
        asked.append(now + timedelta(seconds=10 * len(asked)))
        return asked[-1]

    task = SweepTask(replace(service.services, clock=clock), tmp_path / "sweeper.lock")
    service.run(task.sweep_once())
    task.close()
    reached = service.run(Watermarks(service.services.database).read(NAME, asked[-1]))
    assert len(asked) > 1
    assert reached is not None
    assert abs(reached - now) < timedelta(seconds=1)


def test_a_sweep_finishes_an_erasure_that_was_only_announced(
    service: RunningService,
    person: Person,
    open_phone: Phone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """The service ended between the announcement and the deletion."""
    services, user_id = service.services, person.user_id
    announce_only(monkeypatch, user_id)
    assert service.run(services.records.sessions.read(user_id, open_phone.session))
    service.run(announce_erasure(services.database, user_id, datetime.now(UTC)))
    task = SweepTask(services, tmp_path / "sweeper.lock")
    service.run(task.sweep_once())
    task.close()
    assert service.run(services.users.by_id(user_id)) is None
    assert service.run(services.records.sessions.read(user_id, open_phone.session)) is None


def test_a_failed_sweep_does_not_advance_the_watermark(
    service: RunningService, two: tuple[SweepTask, SweepTask], monkeypatch: pytest.MonkeyPatch
):
    watermarks = Watermarks(service.services.database)
    service.run(two[0].sweep_once())
    before = service.run(watermarks.read(NAME, datetime.now(UTC)))

    async def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("gone in the middle")

    monkeypatch.setattr("api.sweep_task.sweep", away)
    with pytest.raises(DatabaseUnavailable):
        service.run(two[0].sweep_once())
    assert service.run(watermarks.read(NAME, datetime.now(UTC))) == before


def test_sweeping_continues_after_an_unexpected_error(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The worker holds the lock: if it stopped sweeping, no other would take over."""
    tried: list[str] = []

    async def once() -> bool:
        tried.append("again")
        if len(tried) == 1:
            raise RuntimeError("a bug")
        await asyncio.sleep(0)  # lets the log be written
        raise asyncio.CancelledError  # the service stops

    monkeypatch.setattr("api.sweep_task.EVERY_S", 0.0)
    lines: list[str] = []
    sweeping = SweepTask(service.services, tmp_path / "lock", RequestLog(lines.append))
    monkeypatch.setattr(sweeping, "sweep_once", once)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(sweeping.run())
    assert len(tried) == 2
    (line,) = lines
    assert '"error":"RuntimeError"' in line
    assert "a bug" not in line, "a message may quote what a person sent"
